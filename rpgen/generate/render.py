"""From a plan to the text of a file: strict templates, and a check that the result is Python."""

import ast
import contextlib
import re
import sys
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
)
from jinja2 import TemplateError as JinjaError
from jinja2.bccache import Bucket

from rpgen.errors import TemplateError
from rpgen.generate.literals import docstring_text, literal
from rpgen.generate.plan import TestPlan
from rpgen.generate.signature import sign
from rpgen.paths import templates_folder

SUFFIX = ".j2"


class CompiledTemplates(FileSystemBytecodeCache):
    """Compiled templates, kept beside them as Python keeps its modules: half the time of writing
    one file goes to compiling otherwise. Jinja compares them with the source; a folder that
    can't be written to costs time and nothing else. A person's own templates are not kept: their
    folder is theirs.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "__pycache__"))
        self._folder = folder
        self._ours: set[str] = set()

    def get_bucket(
        self, environment: Environment, name: str, filename: str | None, source: str
    ) -> Bucket:
        bucket = super().get_bucket(environment, name, filename, source)
        if filename is not None and Path(filename).parent == self._folder:
            self._ours.add(bucket.key)
        return bucket

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._ours and not sys.dont_write_bytecode:
            with contextlib.suppress(OSError):
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)


class Renderer:
    """Renders plans. A template in `override` takes the place of the shipped one of its name."""

    def __init__(self, override: Path | None = None) -> None:
        if override is not None and not override.is_dir():
            raise TemplateError(f"the template folder {override} is not a folder")
        folders = [override, templates_folder()] if override else [templates_folder()]
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
            bytecode_cache=CompiledTemplates(templates_folder()),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
        )
        self._environment.filters["literal"] = literal
        self._environment.filters["docstring"] = docstring_text

    def render(self, plan: TestPlan) -> str:
        """The signed text of the file; the same plan gives the same bytes."""
        name = plan.template + SUFFIX
        try:
            text = self._environment.get_template(name).render(plan=plan)
        except Exception as error:  # a person's template may raise anything
            raise TemplateError(_describe(error, name)) from error
        text = evenly_spaced(text)
        _must_be_the_test(text, plan, name)
        return sign(text)


def evenly_spaced(text: str) -> str:
    """Two blank lines before a definition at the left edge, elsewhere one at the most.

    Templates need not care which of their parts are left out.
    """
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"\n\n(?=(?:class|def|if|@)\b)", "\n\n\n", text)


def _describe(error: Exception, name: str) -> str:
    line = getattr(error, "lineno", None)
    where = getattr(error, "name", None) or name
    place = f"{where}, line {line}" if line else str(where)
    what = str(error) if isinstance(error, JinjaError) else f"{type(error).__name__}: {error}"
    return f"the template {place} can't be rendered: {what}"


def _must_be_the_test(text: str, plan: TestPlan, name: str) -> None:
    """What a template makes is Python, and it is about the model that was asked for."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise TemplateError(
            f"the template {name} does not make Python for {plan.model}: {error} (line {line})"
        ) from error
    values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    if plan.model not in values:
        raise TemplateError(f"the template {name} makes a file that does not name {plan.model}")
