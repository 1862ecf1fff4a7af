"""From what somebody wrote for a model to a file in its place, one model at a time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rpgen.classification import ModelFacts, classify
from rpgen.errors import ExitCode, ModelUnavailableError, RpgenError, UsageError
from rpgen.families import Classification
from rpgen.generate.architecture import plan_architecture
from rpgen.generate.expectations import sees_cats
from rpgen.generate.plan import Known, TestPlan, Wishes, head_of, plan_test
from rpgen.generate.render import Renderer
from rpgen.generate.write import Action, decide, write
from rpgen.model_database import ModelDatabase
from rpgen.models.pooling import pooling_of
from rpgen.models.reference import (
    LocalFiles,
    ReferenceKind,
    local_files,
    parse_reference,
    test_file_name,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Where files go and what may be overwritten. With `dry_run` nothing is."""

    output_folder: Path
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one model: a file, or an error with its exit code."""

    model: str
    path: Path | None = None
    action: Action | None = None
    reason: str = ""
    plan: TestPlan | None = None
    classification: Classification | None = None
    exit_code: ExitCode = ExitCode.OK


class Generator:
    """Makes test files. Templates and database are read once, for any number of models."""

    def __init__(self, renderer: Renderer, database: ModelDatabase, settings: Settings) -> None:
        self._renderer = renderer
        self._database = database
        self._settings = settings
        self._taken: dict[Path, str] = {}

    def generate(self, text: str, wishes: Wishes) -> Outcome:
        """The file for what a person wrote. Raises RpgenError where there can't be one."""
        return self._put(*self.plan(text, wishes))

    def generate_architecture(self, model_type: str, wishes: Wishes) -> Outcome:
        """The file for a type of transformers, with a tiny model. Raises RpgenError."""
        return self._put(*self.plan_type(model_type, wishes))

    def _put(self, plan: TestPlan, answer: Classification) -> Outcome:
        path = self._settings.output_folder / plan.file_name
        _tell(plan, answer)
        source = self._renderer.render(plan)
        first = self._taken.setdefault(path, plan.model)
        if first != plan.model:
            reason = f"{first} has the same file name and came first"
            return Outcome(plan.model, path, Action.KEPT, reason, plan, answer, ExitCode.OUTPUT)
        decision = decide(path, source, plan.model, force=self._settings.force)
        if decision.writes and not self._settings.dry_run:
            write(path, source)
        return Outcome(plan.model, path, decision.action, decision.reason, plan, answer)

    def try_generate(self, text: str, wishes: Wishes) -> Outcome:
        """As `generate`, with the error as a value: one bad name in a list costs one file."""
        return _tried(self.generate, text, wishes)

    def try_generate_architecture(self, model_type: str, wishes: Wishes) -> Outcome:
        """As `generate_architecture`, with the error as a value."""
        return _tried(self.generate_architecture, model_type, wishes)

    def architectures(self) -> list[str]:
        """Every type that transformers has a model for (its AutoModel knows it)."""
        known = self._database.raw_architectures
        return sorted(name for name, raw in known.items() if "AutoModel" in raw.get("classes", ()))

    def plan_type(self, model_type: str, wishes: Wishes) -> tuple[TestPlan, Classification]:
        """What the file of a type would say."""
        known = self._database.architecture(model_type)
        if known is None or known.auto_class is None:
            raise UsageError(
                f"transformers has no model of the type {model_type!r}: the types are the keys"
                " of its AutoModel mapping, such as bert"
            )
        answer = classify(ModelFacts(model_type, config={"model_type": model_type}), self._database)
        name = test_file_name(parse_reference(model_type))
        return plan_architecture(known, name, wishes), answer

    def plan(self, text: str, wishes: Wishes) -> tuple[TestPlan, Classification]:
        """What the file would say, and the classification behind it."""
        reference = parse_reference(text, wishes.revision)
        files = local_files(reference)
        if reference.kind is not ReferenceKind.HUB:
            _must_be_usable(reference.name, files, wishes)
        facts = ModelFacts(
            name=reference.name if reference.kind is ReferenceKind.HUB else reference.label,
            config=files.config,
            modules=files.modules,
        )
        answer = classify(facts, self._database)
        architecture = self._database.architecture(answer.model_type)
        auto_class = head_of(answer, answer.subfamily)
        famous = self._database.model(reference.label)
        known = Known(
            label=reference.label,
            pooling=pooling_of(files)[0] if files.folder else None,
            inputs=architecture.inputs if architecture else (),
            never=architecture.unfit(auto_class) if architecture else {},
            draws=architecture is not None and architecture.draws,
            misfit=architecture.head(auto_class).misfit if architecture else None,
            part=architecture.part if architecture else None,
            cats=sees_cats(answer.subfamily, files.config, famous.config if famous else {}),
        )
        plan = plan_test(reference.name, test_file_name(reference), answer, wishes, known)
        return plan, answer


def _tell(plan: TestPlan, answer: Classification) -> None:
    """What was decided and why, for who wants to see it."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    for said in answer.findings:
        _log.debug("%s: %s", plan.model, said)
    _log.debug(
        "%s: %s, template %s, %s(%s)", plan.model, plan.title, plan.template, plan.auto_class,
        ", ".join(f"{name}={value!r}" for name, value in plan.checkpoint.items()),
    )  # fmt: skip
    _log.debug("%s: preferences %s", plan.model, dict(plan.preferences))
    _log.debug("%s: checks %s", plan.model, ", ".join(sorted(plan.checks)) or "of every file only")


def _tried(make: Callable[[str, Wishes], Outcome], name: str, wishes: Wishes) -> Outcome:
    try:
        return make(name, wishes)
    except RpgenError as error:
        return Outcome(name, reason=str(error), exit_code=error.exit_code)


def _must_be_usable(name: str, files: LocalFiles, wishes: Wishes) -> None:
    """A folder or file named by a person is what they mean: what's broken in it is an error."""
    if files.config is None:
        raise ModelUnavailableError(files.problem or f"{name} holds no config.json")
    torn = files.problem is not None and bool(files.weight_files)
    absent = files.problem is not None and wishes.weights == "pretrained"
    if (torn and wishes.weights == "auto") or absent:
        raise ModelUnavailableError(str(files.problem))
