"""The shipped facts: every architecture of transformers, and well-known models.

`model_database.json` is made by `python -m rpgen.refresh_database`; reading it needs neither
torch nor transformers. Entries stay plain JSON until they are asked for, because a command
that needs one entry must not pay for nine hundred.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from rpgen import paths
from rpgen.errors import DataError
from rpgen.families import FAMILY_OF, Family, Subfamily
from rpgen.grounds import ground_of, is_of_code
from rpgen.heads import HEAD_OF

SCHEMA = 1


@dataclass(frozen=True)
class HeadFacts:
    """What the files of a family showed of one head of a type (`rpgen.architectures.families`).

    `misfit` is what the file of the family raised that is no failed check: models with the head
    get the general file. `settings` say how the weights of tiny models begin, by path in the
    configuration, where they would say too little otherwise. `left_out` are checks that do not
    apply to the head, each with the reason (see `rpgen.grounds`).
    """

    misfit: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


NOTHING_FOUND = HeadFacts()


@dataclass(frozen=True)
class Architecture:
    """One configuration type of transformers.

    `auto_class` is the head to test it with, None for a configuration that is only a part of
    others and has no model class of its own. `inputs` are those of that head, in the order
    text, image, video, audio, time_series. `processors` has the class names by kind
    (tokenizer, processor, image_processor, video_processor, feature_extractor), `parts` the
    types of the configurations inside, by attribute ("" where any type may stand). `tiny` is
    what is remembered of its tiny model, in the plain form of `rpgen.models.recipe`, `never`
    are checks that its trained weights don't stand by their nature, each with the reason: fp16
    where they were trained in a wider type. `heads` has what is known of single heads.
    """

    model_type: str
    family: Family | None
    subfamily: Subfamily | None
    auto_class: str | None
    config_class: str
    inputs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    class_names: Mapping[str, str] = field(default_factory=dict)
    processors: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    tiny: Mapping[str, Any] = field(default_factory=dict)
    never: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, HeadFacts] = field(default_factory=dict)

    def head(self, auto_class: str | None) -> HeadFacts:
        return self.heads.get(auto_class or "", NOTHING_FOUND)

    def unfit(self, auto_class: str | None) -> Mapping[str, str]:
        """Checks that a model with that head is spared, each with the reason: what its trained
        weights don't stand, and what its tiny model showed of the architecture itself."""
        left_out: Mapping[str, str] = self.tiny.get("left_out", {})
        of_code = {n: why for n, why in left_out.items() if is_of_code(n, ground_of(why))}
        return {**self.never, **of_code, **self.head(auto_class).left_out}

    @property
    def part(self) -> tuple[str, str] | None:
        """The class of the part that was run for a type whose whole can't be called, and what
        shows that it can't; None where it can."""
        shown = self.tiny.get("limits", {}).get("whole")
        return (self.tiny["auto_class"], shown) if shown else None

    @property
    def draws(self) -> bool:
        """Whether the model draws random numbers whenever it runs."""
        return "draws" in self.tiny.get("left_out", {})

    @property
    def auto_classes(self) -> tuple[str, ...]:
        return tuple(self.class_names)

    @property
    def model_class(self) -> str | None:
        """The class behind `auto_class`, such as BertForMaskedLM."""
        return self.class_names.get(self.auto_class) if self.auto_class else None

    def auto_class_of(self, class_name: str) -> str | None:
        """The auto class that builds a model class: the preferred one, else the plainest."""
        for auto in (self.auto_class, "AutoModel", *self.class_names):
            if auto is not None and self.class_names.get(auto) == class_name:
                return auto
        return None


@dataclass(frozen=True)
class KnownModel:
    """One well-known model. `config` has only what differs from its configuration class's
    defaults; `parameters` were counted on a model built from it. A model that somebody noted
    down with its family alone has no type and no head."""

    model_id: str
    model_type: str | None
    family: Family | None
    subfamily: Subfamily | None
    auto_class: str | None
    config: Mapping[str, Any] = field(default_factory=dict)
    parameters: int | None = None


@dataclass(frozen=True, eq=False)
class ModelDatabase:
    """The file's content; entries are made into values when they are asked for. `raw_names` are
    brands, and makers with a slash: each with its pipeline tag or its architecture's type."""

    source: Path
    made_with: Mapping[str, str]
    raw_architectures: Mapping[str, Any] = field(repr=False)
    raw_models: Mapping[str, Any] = field(repr=False)
    raw_names: Mapping[str, str] = field(default_factory=dict, repr=False)

    def architecture(self, model_type: str | None) -> Architecture | None:
        """One configuration type, None where it is not listed."""
        if not isinstance(model_type, str):
            return None
        raw = self.raw_architectures.get(model_type)
        return None if raw is None else self._read(_architecture, model_type, raw)

    def model(self, model_id: str) -> KnownModel | None:
        """A well-known model by its id, in any case, also without its organisation; and with
        an organisation where the well-known id has none (google-bert/bert-base-uncased)."""
        name = model_id.lower()
        bare = name.rpartition("/")[2]
        found = self._ids.get(name) or (bare if bare in self.raw_models else None)
        return None if found is None else self._read(_model, found, self.raw_models[found])

    def architectures(self) -> tuple[Architecture, ...]:
        return tuple(
            self._read(_architecture, name, raw) for name, raw in self.raw_architectures.items()
        )

    def models(self) -> tuple[KnownModel, ...]:
        return tuple(self._read(_model, name, raw) for name, raw in self.raw_models.items())

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        """Every way to write an id: whole ids win over ids without their organisation."""
        short: dict[str, str] = {}
        for model_id in self.raw_models:
            short.setdefault(model_id.rpartition("/")[2].lower(), model_id)
        return short | {model_id.lower(): model_id for model_id in self.raw_models}

    def class_named(self, class_name: str) -> tuple[Architecture, str] | None:
        """The architecture that a model class belongs to, and the auto class that builds it."""
        found = self._classes.get(class_name)
        architecture = self.architecture(found)
        auto_class = architecture.auto_class_of(class_name) if architecture else None
        return (architecture, auto_class) if architecture and auto_class else None

    @cached_property
    def _classes(self) -> Mapping[str, str]:
        """Model class → type. Where several types share a class, the one named like it."""
        found: dict[str, str] = {}
        for model_type, raw in self.raw_architectures.items():
            for name in raw.get("classes", {}).values():
                other = found.get(name)
                if other is None or self.raw_architectures[other]["config"] == raw["config"]:
                    found[name] = min(model_type, other or model_type, key=len)
                elif name.startswith(raw["config"].removesuffix("Config")):
                    found[name] = model_type
        return found

    def _read(self, make: Any, name: str, raw: Any) -> Any:
        try:
            return make(name, raw, self)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"the entry {name!r} of {self.source} is not as schema {SCHEMA} has it"
            raise DataError(f"{message} ({error!r}): {_REMEDY}") from error


_TYPES: Mapping[str, type] = {
    "auto_class": str, "inputs": list, "tasks": list, "classes": dict, "processors": dict,
    "parts": dict, "never": dict, "heads": dict, "tiny.auto_class": str, "tiny.rung": int,
    "tiny.settings": dict, "tiny.inputs": dict, "tiny.levels": list, "tiny.left_out": dict,
    "tiny.problem": str, "tiny.missed": dict, "tiny.kinds": list, "tiny.limits": dict,
}  # fmt: skip
_REMEDY = "name another file, or make it again with `python -m rpgen.refresh_database`"


def load(path: Path | None = None) -> ModelDatabase:
    """The database at `path`, or the one that `paths.model_database_file` says.

    A file is read once per process and change.

    A file without architectures adds its models to the shipped database. One that can't be
    read, is not JSON or not of our schema is a DataError.
    """
    chosen = (path or paths.model_database_file()).absolute()
    try:
        changed = chosen.stat().st_mtime_ns
    except OSError as error:
        raise DataError(
            f"the model database {chosen} can't be read ({_why(error)}): {_REMEDY}"
        ) from error
    return _load(chosen, changed)


def load_or_shipped(path: Path) -> ModelDatabase:
    """The database at `path`; where there is no such file yet, what it is to begin with."""
    return load(path if path.exists() else paths.shipped_model_database())


@lru_cache(maxsize=8)
def _load(path: Path, changed: int) -> ModelDatabase:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"the model database {path} can't be read ({_why(error)}): {_REMEDY}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"the model database {path} is not JSON ({error}): {_REMEDY}") from error
    problem = _schema_problem(content)
    if problem:
        raise DataError(f"the model database {path} is not ours ({problem}): {_REMEDY}")
    made_with, types, models = content["made_with"], content["architectures"], content["models"]
    names = content.get("names", {})
    shipped_path = paths.shipped_model_database().absolute()
    if not types and path != shipped_path:
        shipped = load(shipped_path)
        made_with, types = shipped.made_with, shipped.raw_architectures
        models = {**shipped.raw_models, **models}
        names = {**shipped.raw_names, **names}
    return ModelDatabase(path, made_with, types, models, names)


def _schema_problem(content: Any) -> str | None:
    if not isinstance(content, dict):
        return "it is not an object"
    if content.get("schema") != SCHEMA:
        return f"its schema is {content.get('schema')!r}, this rpgen reads {SCHEMA}"
    for section in ("made_with", "architectures", "models"):
        if not isinstance(content.get(section), dict):
            return f"{section!r} is missing or not an object"
    if not all(isinstance(version, str) for version in content["made_with"].values()):
        return "a version of 'made_with' is no text"
    for name, raw in content["architectures"].items():
        if not isinstance(raw, dict) or not isinstance(raw.get("config"), str):
            return f"the architecture {name!r} names no configuration class"
        wrong = _wrongly_typed(raw)
        if wrong:
            return f"{wrong!r} of the architecture {name!r} is not what it should be"
    for name, raw in content["models"].items():
        if not isinstance(raw, dict) or not ({"model_type", "family", "subfamily"} & raw.keys()):
            return f"the model {name!r} has neither a type nor a family"
    return _names_problem(content.get("names", {}))


def _wrongly_typed(raw: Mapping[str, Any]) -> str | None:
    """The first field of an architecture that has another type than what is read from it."""
    tiny = raw.get("tiny", {})
    if not isinstance(tiny, dict):
        return "tiny"
    fields = {**raw, **{f"tiny.{key}": value for key, value in tiny.items()}}
    return next(
        (name for name, kind in _TYPES.items() if not isinstance(fields.get(name, kind()), kind)),
        None,
    )


def _names_problem(names: Any) -> str | None:
    if not isinstance(names, dict):
        return "'names' is not an object"
    for name, raw in names.items():
        if not isinstance(raw, str):
            return f"the name {name!r} has neither a type nor a task"
    return None


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _architecture(name: str, raw: Mapping[str, Any], database: ModelDatabase) -> Architecture:
    family, subfamily = _family(raw)
    return Architecture(
        model_type=name,
        family=family,
        subfamily=subfamily,
        auto_class=raw.get("auto_class"),
        config_class=raw["config"],
        inputs=tuple(raw.get("inputs", ())),
        tasks=tuple(raw.get("tasks", ())),
        class_names=dict(raw.get("classes", {})),
        processors=dict(raw.get("processors", {})),
        parts=dict(raw.get("parts", {})),
        tiny=raw.get("tiny", {}),
        never=dict(raw.get("never", {})),
        heads={head: HeadFacts(**facts) for head, facts in raw.get("heads", {}).items()},
    )


def _model(name: str, raw: Mapping[str, Any], database: ModelDatabase) -> KnownModel:
    family, subfamily = _family(raw)
    architecture = database.architecture(raw.get("model_type"))
    auto_class = raw.get("auto_class") or (architecture.auto_class if architecture else None)
    if family is None:  # a head for text classification says more than the architecture does
        head = HEAD_OF[auto_class] if auto_class else None
        family = (head and head.family) or (architecture.family if architecture else None)
    return KnownModel(
        model_id=name,
        model_type=raw.get("model_type"),
        family=family,
        subfamily=subfamily,
        auto_class=auto_class,
        config=dict(raw.get("config", {})),
        parameters=raw.get("parameters"),
    )


def _family(raw: Mapping[str, Any]) -> tuple[Family | None, Subfamily | None]:
    subfamily = Subfamily(raw["subfamily"]) if raw.get("subfamily") else None
    if raw.get("family"):
        return Family(raw["family"]), subfamily
    return (FAMILY_OF[subfamily] if subfamily else None), subfamily
