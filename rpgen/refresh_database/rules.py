"""From what transformers' mappings say about a configuration type to family and head.

The head decides (`rpgen.heads`), what the model takes corrects it, and a configuration that
is only a part of others takes its role in them. The exceptions are few and each has its why.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rpgen.families import FAMILY_OF, Family, Subfamily
from rpgen.heads import HEADS, Head
from rpgen.refresh_database.mappings import AUDIO, IMAGE, MODALITIES, SERIES, TEXT, VIDEO, RawType


@dataclass(frozen=True)
class Verdict:
    family: Family | None
    subfamily: Subfamily | None
    auto_class: str | None
    inputs: tuple[str, ...]


KNOWN_FOR: dict[str, tuple[str, Subfamily]] = {
    # has a classification head as well, which the mappings can't tell from beit's or mobilevit's
    "segformer": ("AutoModelForSemanticSegmentation", Subfamily.SEGMENTATION),
    # among the speech-to-text heads for its encoder and decoder, but it speaks
    "dia": ("AutoModelForSpeechSeq2Seq", Subfamily.TEXT_TO_SPEECH),
    # follows one object through a video; its forward takes a session that the signature hides
    "sam3_tracker_video": ("AutoModel", Subfamily.SEGMENTATION),
    # a head of its own outside every mapping
    "rag": ("", Subfamily.SEQ2SEQ),
}
"""The exceptions: what an architecture is known for, where its mappings say another thing."""

TEXT_FAMILIES = (Family.EMBEDDING, Family.TEXT_GENERATION)
GENERATORS = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForMultimodalLM")
GENERATE_TEXT = (
    Subfamily.VISION_LANGUAGE,
    Subfamily.CAUSAL_LM,
    Subfamily.SEQ2SEQ,
    Subfamily.SPEECH_RECOGNITION,
    Subfamily.TEXT_TO_SPEECH,
)
NO_VERDICT = ("AutoModel", "AutoModelForPreTraining", "AutoModelForTextEncoding", "AutoBackbone")
ROLES = (
    *(("text", TEXT), ("vision", IMAGE), ("image", IMAGE), ("video", IMAGE)),
    *(("audio", AUDIO), ("speech", AUDIO)),
)


def best_head(raw: RawType) -> Head | None:
    """The first head of the preference list that the type has."""
    known = KNOWN_FOR.get(raw.model_type)
    wanted = known[0] if known else ""
    heads = [head for head in HEADS if head.auto_class in raw.class_names]
    return next((head for head in heads if head.auto_class == wanted), heads[0] if heads else None)


def decide(raw: RawType, types: Mapping[str, RawType], depth: int = 0) -> Verdict:
    """Family, sub-family, the head to test and what the model takes.

    `depth` ends the recursion where two configurations name each other as parts.
    """
    head = best_head(raw)
    inputs = _inputs(raw, head)
    if raw.model_type in KNOWN_FOR:
        subfamily = KNOWN_FOR[raw.model_type][1]
        return Verdict(
            FAMILY_OF[subfamily], subfamily, head.auto_class if head else None, inputs or (TEXT,)
        )
    twin = _twin(raw, types)
    if twin is not None:
        other = decide(twin, types, depth + 1)
        return Verdict(other.family, None, None, other.inputs)
    if head is None or (head.auto_class in NO_VERDICT and _whole(raw, types)):
        return _as_part(raw, types, head, inputs, depth)
    return _by_head(raw, head, inputs)


def _twin(raw: RawType, types: Mapping[str, RawType]) -> RawType | None:
    """For a type without any model: the one that has the models of its configuration."""
    if raw.class_names:
        return None
    same = (one for one in types.values() if one.config_class == raw.config_class)
    return next((one for one in same if one.class_names), None)


def _by_head(raw: RawType, head: Head, inputs: tuple[str, ...]) -> Verdict:
    family, subfamily = head.family, head.subfamily
    sees, hears = IMAGE in inputs or VIDEO in inputs, AUDIO in inputs
    if SERIES in inputs:
        return Verdict(None, None, head.auto_class, inputs)
    undecided = family is None or family in TEXT_FAMILIES or head.auto_class in NO_VERDICT
    if sees and (family is Family.AUDIO or head.auto_class == "AutoModelForMultimodalLM"):
        names = [one for one in GENERATORS[::-1] if one in raw.class_names]
        return _verdict(Subfamily.VISION_LANGUAGE, names[0] if names else head.auto_class, inputs)
    if not undecided and head.auto_class != "AutoModelForMultimodalLM":
        return Verdict(family, subfamily, head.auto_class, inputs)
    if sees and (TEXT in inputs or hears):
        generates = head.auto_class in GENERATORS or raw.decoder
        if raw.class_names[head.auto_class].endswith("ForRetrieval"):
            generates = False
        chosen = Subfamily.VISION_LANGUAGE if generates else Subfamily.IMAGE_TEXT_ENCODER
        return _verdict(chosen, head.auto_class, inputs)
    if sees:
        return Verdict(Family.VISION, None, head.auto_class, inputs)
    if hears:
        transcribes = head.auto_class in GENERATORS and AUDIO in raw.inputs
        heard = Subfamily.SPEECH_RECOGNITION if transcribes else None
        return Verdict(Family.AUDIO, heard, head.auto_class, inputs)
    if family is None or head.auto_class in NO_VERDICT:
        family = _text_family(raw) if TEXT in inputs or raw.decoder else None
        return Verdict(family, None, head.auto_class, inputs or ((TEXT,) if family else ()))
    return Verdict(family, subfamily, head.auto_class, inputs)


def _as_part(
    raw: RawType,
    types: Mapping[str, RawType],
    head: Head | None,
    inputs: tuple[str, ...],
    depth: int,
) -> Verdict:
    """A configuration without a telling head: its role, its processors, or its whole's family."""
    auto_class = head.auto_class if head else None
    role = _role(raw, types)
    whole = _whole(raw, types)
    above = decide(types[whole], types, depth + 1) if whole and depth < 4 else None
    if role == TEXT:
        spoken = head is None and above is not None and above.subfamily in GENERATE_TEXT
        family = Family.TEXT_GENERATION if raw.decoder or spoken else Family.EMBEDDING
        return Verdict(family, None, auto_class, (TEXT,))
    if role in (IMAGE, AUDIO):
        family = Family.VISION if role == IMAGE else Family.AUDIO
        kept = tuple(one for one in inputs if one != TEXT)
        return Verdict(family, None, auto_class, kept or (role,))
    kinds = set(raw.processors)
    if head is None and {"tokenizer", "image_processor"} <= kinds | _promised(raw):
        return Verdict(Family.MULTIMODAL, None, None, (TEXT, IMAGE))
    if above is not None:
        return Verdict(above.family, None, auto_class, inputs)
    if head is None and "tokenizer" in kinds:
        return Verdict(_text_family(raw), None, None, (TEXT,))
    return Verdict(None, None, auto_class, inputs)


def _promised(raw: RawType) -> set[str]:
    """A processor of text and images holds a tokenizer, whether or not one is listed."""
    return {"tokenizer"} if "processor" in raw.processors else set()


def _inputs(raw: RawType, head: Head | None) -> tuple[str, ...]:
    """What the signature says, completed by what the head and the parts promise."""
    seen = set(raw.inputs)
    if head is not None and head.subfamily is Subfamily.IMAGE_TEXT_ENCODER:
        seen |= {TEXT} if VIDEO in seen else {TEXT, IMAGE}
    if head is not None and head.auto_class == "AutoModelForVideoClassification":
        seen = (seen - {IMAGE}) | {VIDEO}
    elif head is not None and head.family is Family.VISION and VIDEO not in seen:
        seen = (seen - {TEXT}) | {IMAGE}
    if head is not None and head.family is Family.AUDIO and not seen:
        seen = {AUDIO}
    if head is not None and head.auto_class in GENERATORS:
        seen |= {role for name in raw.parts if (role := _role_of(name)) == AUDIO}
    return tuple(one for one in MODALITIES if one in seen)


def _role(raw: RawType, types: Mapping[str, RawType]) -> str | None:
    """What a part does in its whole, from the attribute it has there, or from its own name."""
    if len({_role_of(attribute) for attribute in raw.parts} - {None}) > 1:
        return None  # it joins several
    whole = _whole(raw, types)
    if whole is None:
        return None
    for attribute, part in types[whole].parts.items():
        if part == raw.model_type and (role := _role_of(attribute)):
            return role
    extra = raw.model_type.removeprefix(whole)
    return next((role for word, role in ROLES if word in extra), None)


def _role_of(attribute: str) -> str | None:
    return next((role for word, role in ROLES if attribute.startswith(word)), None)


def _whole(raw: RawType, types: Mapping[str, RawType]) -> str | None:
    """The type that this one is a part of: one that names it and shares its module or the
    beginning of its name. An architecture of its own right (`llama` in `llava`) has none."""
    if not _is_part_name(raw, types):
        return None
    owners = [
        other.model_type
        for other in types.values()
        if raw.model_type in other.parts.values() and other.model_type != raw.model_type
    ]
    same = [owner for owner in owners if types[owner].module == raw.module]
    if same:
        return max(same, key=lambda owner: len(types[owner].parts))
    starts = [one for one in types if one != raw.model_type and raw.model_type.startswith(one)]
    return max(starts, key=len, default=owners[0] if owners else None)


def _is_part_name(raw: RawType, types: Mapping[str, RawType]) -> bool:
    """Whether the name adds something to the name of the folder it is defined in."""
    own = raw.model_type.replace("-", "_").replace(".", "_").lower()
    return own != raw.module and (
        own.startswith(raw.module)
        or any(raw.model_type in one.parts.values() for one in types.values())
    )


def _text_family(raw: RawType) -> Family:
    return Family.TEXT_GENERATION if raw.decoder else Family.EMBEDDING


def _verdict(subfamily: Subfamily, auto_class: str, inputs: tuple[str, ...]) -> Verdict:
    return Verdict(FAMILY_OF[subfamily], subfamily, auto_class, inputs)
