"""Classification by name alone, on the ids that transformers' own configurations name.

The labels are transformers': the id stands in the docstring decorator of a configuration
class, and the class belongs to a configuration type. Nothing is imported from there; the
source text is read. The patterns were tuned while looking at these ids, so the share is a
guard against getting worse, not an estimate for names never seen.
"""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpgen.classification.names import from_name
from rpgen.families import Family
from rpgen.model_database import ModelDatabase, load

TYPES_OF_PARTS = ("_text", "_vision", "_audio", "_encoder", "_decoder", "_qformer", "_model")
ALLOWED_TO_MISS = 0.06


def documented_ids() -> Iterator[tuple[str, str]]:
    """(id, configuration class) for every `@auto_docstring(checkpoint=…)`."""
    spec = importlib.util.find_spec("transformers")
    assert spec is not None
    assert spec.origin is not None
    for path in sorted(Path(spec.origin).parent.glob("models/*/configuration_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call):
                        for keyword in decorator.keywords:
                            value = keyword.value
                            if keyword.arg == "checkpoint" and isinstance(value, ast.Constant):
                                yield str(value.value), node.name


def labels(database: ModelDatabase) -> dict[str, set[Family | None]]:
    """The families that an id is documented for; parts of a model are not the model."""
    by_class = {one.config_class: one for one in database.architectures()}
    found: dict[str, set[Family | None]] = {}
    for model_id, class_name in documented_ids():
        one = by_class.get(class_name)
        if one and model_id.count("/") == 1 and not one.model_type.endswith(TYPES_OF_PARTS):
            found.setdefault(model_id, set()).add(one.family)
    return found


def test_names_alone_tell_the_family() -> None:
    database = load()
    documented = labels(database)
    if len(documented) < 400:
        pytest.skip(f"this transformers documents only {len(documented)} ids in that way")
    wrong = {
        model_id: (families, clue.finding.family)
        for model_id, families in documented.items()
        for clue in from_name(model_id, database)
        if clue.finding.family not in families
    }
    assert len(wrong) / len(documented) <= ALLOWED_TO_MISS, wrong
