"""Tokenizers, image processors, feature extractors and joint processors without any file.

Each is transformers' own class for the architecture with its defaults, its sizes taken from
the configuration. Images go through Pillow.
"""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from rpgen.errors import MissingPackageError, ModelUnavailableError
from rpgen.models.load import loading
from rpgen.models.seams import text_config
from rpgen.models.shrink import SPEECH_POSITIONS
from rpgen.models.tiny import reads_text
from rpgen.models.tiny_tokenizers import build_tokenizer, reads_characters

_SIDE = 96  # of an image, for models that take any size
_LONGER_SIDE = 128
_REPAIRS = 12
_MISSING_TOKEN = re.compile(r"has no attribute '?(\w+_token)(_id)?'?")
_OF_TEXTS = 512  # tokens that must be left for what texts are made of
_WHISPER_HOP = 160 * 2  # samples per encoder position: the hop times the convolution's stride


def build_part(loader: str, config: Any) -> Any:
    """What the auto class `loader` would load. Raises ModelUnavailableError, with the reason."""
    what = f"the {loader.removeprefix('Auto')} of {config.model_type}"
    try:
        with loading(what):
            return _build(loader, config)
    except TypeError as error:  # it asks for a part that only its files have
        raise ModelUnavailableError(f"{what} can't be made without its files: {error}") from error


def _build(loader: str, config: Any) -> Any:
    if loader == "AutoTokenizer":
        return _needed(_tokenizer(config), "tokenizer", config)
    if loader == "AutoImageProcessor":
        return _needed(image_processor(config), "image processor", config)
    if loader == "AutoFeatureExtractor":
        return _needed(feature_extractor(config), "feature extractor", config)
    return _needed(processor(config), "processor", config)


def processor(config: Any) -> Any | None:
    """The joint processor; for a model of one kind of input that kind's own processor."""
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    name = PROCESSOR_MAPPING_NAMES.get(config.model_type)
    if name is not None and (reads_text(config) or not _wants_text(_class_named(name))):
        return _joint(_class_named(name), config)
    single = image_processor(config) or feature_extractor(config)
    return single if single is not None else _tokenizer(config)


def _tokenizer(config: Any) -> Any | None:
    return build_tokenizer(config) if reads_text(config) or reads_characters(config) else None


def _wants_text(kind: Any) -> bool:
    return any("tokenizer" in name for name in inspect.signature(kind.__init__).parameters)


def image_processor(config: Any) -> Any | None:
    from transformers.models.auto import image_processing_auto as auto

    known = auto.IMAGE_PROCESSOR_MAPPING_NAMES
    for kind in [*_kinds(config), *_earlier_versions(config.model_type, known)]:
        names = auto.IMAGE_PROCESSOR_MAPPING_NAMES.get(kind)
        if names:
            chosen = names.get("pil") or next(iter(names.values()))
            return _sized(auto.get_image_processor_class_from_name(chosen), config)
    return None


def feature_extractor(config: Any) -> Any | None:
    from transformers.models.auto.feature_extraction_auto import (
        FEATURE_EXTRACTOR_MAPPING_NAMES,
        feature_extractor_class_from_name,
    )

    for kind in _kinds(config):
        name = FEATURE_EXTRACTOR_MAPPING_NAMES.get(kind)
        if name:
            return _tuned(feature_extractor_class_from_name(name), config)
    return None


def _joint(kind: Any, config: Any) -> Any:
    """Adds what the class asks of its tokenizer until it can be made; a bounded number."""
    extra: set[str] = set()
    for _ in range(_REPAIRS):
        try:
            made = kind(**_parts(kind, config, partial(build_tokenizer, config, extra)))
        except AttributeError as error:
            missing = _MISSING_TOKEN.search(str(error))
            if missing is None or missing[1] in extra:
                raise
            extra.add(missing[1])
            continue
        beyond = _beyond_vocabulary(made) - extra
        room = text_config(config).vocab_size - _OF_TEXTS if beyond else 0
        if not beyond or len(beyond) > room:
            return made
        extra |= beyond
    raise ModelUnavailableError(f"{kind.__name__} asks for too many special tokens")


def _beyond_vocabulary(made: Any) -> set[str]:
    """Tokens that the processor itself added to the tokenizer: the model has no rows for them."""
    tokenizer = getattr(made, "tokenizer", None)
    size = getattr(tokenizer, "vocab_size", None)
    if tokenizer is None or size is None or not hasattr(tokenizer, "get_added_vocab"):
        return set()
    return {token for token, place in tokenizer.get_added_vocab().items() if place >= size}


def _parts(kind: Any, config: Any, tokenizer: Callable[[], Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if "tokenizer" in name:
            parts[name] = tokenizer()
        elif name == "image_processor":
            parts[name] = _with_length(image_processor(config), config)
        elif name in ("feature_extractor", "audio_processor"):
            parts[name] = feature_extractor(config)
        elif name == "video_processor":
            parts[name] = _video_processor(config)
        elif name == "image_seq_length" and hasattr(config, "mm_tokens_per_image"):
            parts[name] = config.mm_tokens_per_image
        elif name == "num_additional_image_tokens":
            parts[name] = int("clip" in config.vision_config.model_type)  # CLIP's class token
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self":
            parts.update(_from_tree(name, config))
    return {name: part for name, part in parts.items() if part is not None}


def _with_length(images: Any, config: Any) -> Any:
    """Tells an image processor how many tokens an image becomes, where it passes that on."""
    vision: Any = getattr(config, "vision_config", None)
    side, patch = (getattr(vision, name, None) for name in ("image_size", "patch_size"))
    if hasattr(images, "image_seq_length") and isinstance(side, int) and isinstance(patch, int):
        images.image_seq_length = (side // patch) ** 2
    return images


def _from_tree(name: str, config: Any) -> dict[str, Any]:
    """A plain figure of that name (`patch_size`), from the vision part first."""
    for place in (getattr(config, "vision_config", None), config):
        value = getattr(place, name, None)
        if isinstance(value, int | str):
            return {name: value}
    return {}


def _video_processor(config: Any) -> Any | None:
    from transformers.models.auto import video_processing_auto as auto

    if find_spec("torchvision") is None:
        raise MissingPackageError(
            f"the processor of {config.model_type} takes videos, for which transformers needs "
            "torchvision: pip install torchvision"
        )
    names = auto.VIDEO_PROCESSOR_MAPPING_NAMES.get(config.model_type)
    name = names.get("torchvision") if isinstance(names, Mapping) else names
    return None if name is None else _class_named(name)()


def _sized(kind: Any, config: Any) -> Any:
    """The image processor with sizes that agree with the configuration."""
    fixed = {"apply_ocr": False} if "apply_ocr" in _known_arguments(kind) else {}
    made = kind(**fixed)
    side = _image_side(config)
    changed = {
        name: _resized(value, side)
        for name in ("size", "crop_size", "pad_size")
        if isinstance(value := _as_dict(getattr(made, name, None)), dict)
    }
    return kind(**fixed, **changed) if changed else made


def _known_arguments(kind: Any) -> set[str]:
    """What an image processor may be told: the arguments and the class's own defaults."""
    return {*inspect.signature(kind.__init__).parameters, *dir(kind)}


def _as_dict(size: Any) -> Any:
    if size is None or isinstance(size, dict):
        return size
    try:
        return {key: value for key, value in dict(size).items() if value is not None}
    except (TypeError, ValueError):
        return size


def _resized(size: Mapping[str, Any], side: int | None) -> dict[str, Any]:
    if "max_pixels" in size or "min_pixels" in size:
        return dict(size)
    if side is not None:
        return {key: side * 2 if key == "longest_edge" and "shortest_edge" in size else side
                for key in size}  # fmt: skip
    if any(isinstance(value, int) and value > 10_000 for value in size.values()):
        return dict(size)  # numbers of pixels, not sides
    longer = {"longest_edge", "max_height", "max_width"}
    return {
        key: min(value, _LONGER_SIDE if key in longer else _SIDE) for key, value in size.items()
    }


def _image_side(config: Any) -> int | None:
    """The side of the images that a model takes; None where it takes any."""
    for place in (*_image_parts(config), config):
        size = getattr(place, "image_size", None)
        if isinstance(size, int):
            return size
        if isinstance(size, list | tuple) and size and len(set(size)) == 1:
            return int(size[0])
    return None


def _image_parts(config: Any) -> list[Any]:
    names = ("vision_config", "image_config", "backbone_config", "encoder")
    return [part for name in names if (part := getattr(config, name, None)) is not None]


def _tuned(kind: Any, config: Any) -> Any:
    """The feature extractor with the figures that the configuration shares with it."""
    audio = getattr(config, "audio_config", None) or config
    known = inspect.signature(kind.__init__).parameters
    chosen: dict[str, Any] = {}
    for name in ("num_mel_bins", "max_length", "sampling_rate"):
        value = getattr(audio, name, None)
        if name in known and isinstance(value, int) and value > 20:
            chosen[name] = value
    if getattr(audio, "enable_fusion", None) is False and "truncation" in known:
        chosen["truncation"] = "rand_trunc"  # fused input has four channels
    bins = getattr(audio, "num_mel_bins", None)
    if "feature_size" in known and "chunk_length" in known and bins:
        chosen["feature_size"] = bins
        if getattr(audio, "max_source_positions", None) == SPEECH_POSITIONS:
            rate = known["sampling_rate"].default
            chosen["chunk_length"] = SPEECH_POSITIONS * _WHISPER_HOP // rate
    return kind(**chosen)


def _kinds(config: Any) -> list[str]:
    """The model type, then those of its vision and audio parts."""
    parts = (getattr(config, name, None) for name in ("vision_config", "audio_config", "encoder"))
    kinds = [config.model_type, *(getattr(part, "model_type", None) for part in parts)]
    return [kind for kind in kinds if kind]


def _earlier_versions(kind: str, known: Collection[str]) -> list[str]:
    """`rt_detr` for `rt_detr_v2`: a later version often goes on using the earlier one's."""
    return sorted((name for name in known if kind.startswith(f"{name}_")), key=len)[-1:]


def _class_named(name: str) -> Any:
    import transformers

    return getattr(transformers, name)


def _needed(part: Any, what: str, config: Any) -> Any:
    if part is None:
        raise ModelUnavailableError(f"{config.model_type} has no {what}")
    return part
