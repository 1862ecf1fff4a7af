"""What each source says of a model's family, one function per source, each a pure one.

Sources are files and answers of other people: a value of an unexpected type in them says
nothing, it is never an error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rpgen.families import FAMILY_OF, Family, Finding, Subfamily
from rpgen.heads import HEAD_OF, HEADS, TAGS, Head, split
from rpgen.model_database import Architecture, ModelDatabase

TEXT_FAMILIES = (Family.EMBEDDING, Family.TEXT_GENERATION)


@dataclass(frozen=True)
class Clue:
    """A finding, and what goes with it.

    `sure` is the confidence in the sub-family. `exact`: `auto_class` is the head that the
    weights have, not just the best one of the architecture.
    """

    finding: Finding
    sure: float = 0.0
    model_type: str | None = None
    auto_class: str | None = None
    task: str | None = None
    exact: bool = False


def clue(
    source: str,
    what: Family | Subfamily | None,
    confidence: float,
    reason: str,
    *,
    sure: float | None = None,
    model_type: str | None = None,
    auto_class: str | None = None,
    task: str | None = None,
    exact: bool = False,
) -> Clue:
    """A clue from a family, or from a sub-family, which brings its family along."""
    family, subfamily = split(what)
    finding = Finding(source, family, subfamily, confidence, reason)
    known = (confidence if sure is None else sure) if subfamily else 0.0
    return Clue(finding, known, model_type, auto_class, task, exact)


# config.json ------------------------------------------------------------------------------


def from_config(config: Mapping[str, Any] | None, database: ModelDatabase) -> Iterator[Clue]:
    """`model_type` and `architectures`; without either, the keys that give a model away."""
    if not isinstance(config, Mapping):
        return
    architecture = database.architecture(_text(config.get("model_type")))
    classes = [one for one in _items(config.get("architectures")) if isinstance(one, str)]
    class_name = classes[0] if classes else _remote_class(config)
    if architecture is None and class_name:
        known = database.class_named(class_name)
        if known is not None:
            yield of_architecture(
                "config", known[0], class_name, 0.95, f"architecture {class_name}"
            )
            return
    if architecture is not None:
        reason = f"model_type {architecture.model_type}"
        reason += f", architecture {class_name}" if class_name else ""
        yield of_architecture(
            "config", architecture, class_name, 1.0 if class_name else 0.95, reason
        )
    elif class_name and (head := head_of_class(class_name)):
        reason = f"architecture {class_name} ends as {head.auto_class} does"
        yield _of_head("config", head, 0.85, reason, _text(config.get("model_type")))
    else:
        yield from _from_keys(config)


def of_architecture(
    source: str, known: Architecture, class_name: str | None, confidence: float, reason: str
) -> Clue:
    """What an architecture with this class of model is; without a class, what it is known for."""
    auto_class = known.auto_class_of(class_name) if class_name else known.auto_class
    if class_name and auto_class is None:
        head = head_of_class(class_name)
        auto_class = head.auto_class if head and head.auto_class in known.auto_classes else None
    head = HEAD_OF.get(auto_class or "")
    family, subfamily, sure = known.family, known.subfamily, 0.6 if class_name is None else 0.95
    exact = class_name is not None and auto_class is not None
    if auto_class is None:  # a class that no auto class builds: the type's own head is a guess
        auto_class, sure = known.auto_class, 0.6
        head = HEAD_OF.get(auto_class or "")
    elif auto_class != known.auto_class and head is not None:
        family, subfamily = _with_head(known, head)
    return Clue(
        Finding(source, family, subfamily, confidence, reason),
        sure if subfamily else 0.0,
        known.model_type,
        auto_class,
        head.task if head else None,
        exact,
    )


def _with_head(known: Architecture, head: Head) -> tuple[Family | None, Subfamily | None]:
    """The family of an architecture under another head than the one it is known for."""
    if head.family is None or known.family is None:
        return known.family, None
    if head.family in TEXT_FAMILIES and known.family not in TEXT_FAMILIES:
        return known.family, None  # the text half of a model that also sees or hears
    return head.family, head.subfamily


def _remote_class(config: Mapping[str, Any]) -> str | None:
    """The class behind the first auto class of `auto_map`, for models with code of their own."""
    auto_map = config.get("auto_map")
    if not isinstance(auto_map, Mapping):
        return None
    names = [name for name in auto_map if name in HEAD_OF and HEAD_OF[name].family is not None]
    return str(names[0]) if names else None


def head_of_class(class_name: str) -> Head | None:
    """The head that a class name ends with: `XyzForTokenClassification`, `XyzLMHeadModel`."""
    if class_name in HEAD_OF:
        return HEAD_OF[class_name]
    if class_name.endswith("LMHeadModel"):
        return HEAD_OF["AutoModelForCausalLM"]
    for head in HEADS:
        ending = head.auto_class.removeprefix("AutoModel")
        if ending.startswith("For") and class_name.endswith(ending):
            return head
    return None


def _from_keys(config: Mapping[str, Any]) -> Iterator[Clue]:
    parts = {key for key, value in config.items() if isinstance(value, Mapping)}
    sees, hears = bool(parts & {"vision_config", "vision_tower"}), "audio_config" in parts
    if sees and parts & {"text_config", "llm_config", "language_config"}:
        reason = "it has a configuration for vision and one for text"
        yield clue("config", Subfamily.VISION_LANGUAGE, 0.7, reason, sure=0.5)
    elif hears:
        yield clue("config", Family.AUDIO, 0.6, "it has a configuration for audio")
    elif "pretrained_cfg" in parts or {"architecture", "num_features"} <= config.keys():
        reason = "a configuration of timm, a library of image models"
        finding = Finding("config", Family.VISION, Subfamily.IMAGE_CLASSIFIER, 0.9, reason)
        yield Clue(finding, 0.8, "timm_wrapper", "AutoModelForImageClassification")


# modules.json ------------------------------------------------------------------------------


def from_modules(modules: Sequence[Any] | None) -> Iterator[Clue]:
    """sentence-transformers' list of modules: what the folder is used for."""
    kinds = [
        one["type"]
        for one in _items(modules)
        if isinstance(one, Mapping) and isinstance(one.get("type"), str)
    ]
    if not any(kind.startswith("sentence_transformers") for kind in kinds):
        return
    if any(kind.endswith("CLIPModel") for kind in kinds):
        yield clue("modules", Subfamily.IMAGE_TEXT_ENCODER, 0.95, "modules.json holds a CLIPModel")
    elif any(kind.endswith("CrossEncoder") for kind in kinds):
        task = "text-classification"
        yield clue(
            "modules", Family.EMBEDDING, 0.95, "modules.json is a cross-encoder's", task=task
        )
    else:
        reason = f"modules.json lists {len(kinds)} modules of sentence-transformers"
        what = Subfamily.SENTENCE_TRANSFORMER
        task = "sentence-similarity"
        yield clue("modules", what, 0.98, reason, auto_class="AutoModel", task=task, exact=True)


# pipeline tag and caller --------------------------------------------------------------------


def from_tag(source: str, tag: object, confidence: float = 0.9) -> Iterator[Clue]:
    """A pipeline tag, the hub's or a caller's; an unknown one says nothing."""
    if not isinstance(tag, str) or not tag.strip():
        return
    name = tag.strip().lower().replace("_", "-")
    if name not in TAGS:
        yield clue(source, None, 0.0, f"the task {name!r} is not one of ours")
        return
    what = TAGS[name]
    reason = f"task {name}" if what else f"task {name} is outside the five families"
    yield clue(source, what, confidence, reason, sure=confidence - 0.05, task=name)


METHODS: Mapping[str, Family | Subfamily] = {
    "generate": Family.TEXT_GENERATION,
    "chat": Subfamily.CHAT_MODEL,
    "complete": Family.TEXT_GENERATION,
    "summarize": Subfamily.SEQ2SEQ,
    "translate": Subfamily.SEQ2SEQ,
    "encode": Family.EMBEDDING,
    "embed": Family.EMBEDDING,
    "get_embedding": Family.EMBEDDING,
    "get_sentence_embedding": Subfamily.SENTENCE_TRANSFORMER,
    "detect": Subfamily.OBJECT_DETECTOR,
    "segment": Subfamily.SEGMENTATION,
    "process_image": Family.VISION,
    "transcribe": Subfamily.SPEECH_RECOGNITION,
    "speech_to_text": Subfamily.SPEECH_RECOGNITION,
    "synthesize": Subfamily.TEXT_TO_SPEECH,
    "process_audio": Family.AUDIO,
    "get_image_features": Subfamily.IMAGE_TEXT_ENCODER,
    "get_text_features": Subfamily.IMAGE_TEXT_ENCODER,
    "describe_image": Subfamily.VISION_LANGUAGE,
}


def from_caller(
    model_class: object, tasks: object, methods: object, database: ModelDatabase
) -> Iterator[Clue]:
    """What the caller says: a model class (or its name), task names, names of its methods."""
    name = getattr(model_class, "__name__", model_class)
    if isinstance(name, str) and name:
        known = database.class_named(name)
        if known is not None:
            yield of_architecture("caller", known[0], name, 0.9, f"model class {name}")
        elif head := head_of_class(name):
            yield _of_head("caller", head, 0.85, f"model class {name}")
    for task in _items(tasks):
        yield from from_tag("caller", task, 0.8)
    for method in _items(methods):
        if isinstance(method, str) and method in METHODS:
            yield clue("caller", METHODS[method], 0.5, f"it has a method {method}", sure=0.4)


def _of_head(
    source: str, head: Head, confidence: float, reason: str, model_type: str | None = None
) -> Clue:
    finding = Finding(
        source, head.family, head.subfamily, confidence if head.family else 0.0, reason
    )
    sure = confidence if head.subfamily else 0.0
    return Clue(finding, sure, model_type, head.auto_class, head.task)


# the database -------------------------------------------------------------------------------


def from_database(names: Sequence[str], database: ModelDatabase) -> Iterator[Clue]:
    """A well-known id, as it stands (first of `names`) or without its organisation."""
    for name in names:
        known = database.model(name)
        if known is None:
            continue
        exact = known.model_id.lower() == names[0].lower()
        reason = f"{known.model_id} is a well-known model"
        finding = Finding(
            "database", known.family, known.subfamily, 0.95 if exact else 0.85, reason
        )
        head = HEAD_OF.get(known.auto_class or "")
        sure = finding.confidence if known.subfamily else 0.0
        task = _task(known.subfamily, head, known.family)
        exact = known.auto_class is not None
        yield Clue(finding, sure, known.model_type, known.auto_class, task, exact)
        return


def _task(subfamily: Subfamily | None, head: Head | None, family: Family | None) -> str | None:
    if head is None:
        return None
    if subfamily is Subfamily.SENTENCE_TRANSFORMER:
        return "sentence-similarity"
    if head.auto_class == "AutoModel" and family is Family.VISION:
        return "image-feature-extraction"
    return head.task


def fits(family: Family | None, subfamily: Subfamily | None) -> bool:
    """Whether a sub-family belongs to a family."""
    return subfamily is not None and FAMILY_OF[subfamily] is family


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _items(value: object) -> Sequence[Any]:
    """The items of a list or tuple; a single string is one item, anything else is none."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, Sequence) and not isinstance(value, bytes) else []
