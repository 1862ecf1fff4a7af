"""Where the parts of a configuration meet: widths, places, token ids that must be there."""

import re
from collections.abc import Iterator
from typing import Any

_SENSES = re.compile("vision|visual|audio|image|speech", re.IGNORECASE)


def joined(config: Any, writes_text: bool) -> Any:
    """The configuration (changed in place) with its seams equal and the tokens that it needs."""
    text = text_config(config)
    if text is not config:
        for role, part in _senses(config, text):
            _fit_output(role, part, text, config)
        if "hidden_size" in vars(config) and hasattr(text, "hidden_size"):
            config.hidden_size = text.hidden_size
        _fit_pooling(config)
        _fit_pinpoints(config)
    _settle_tokens(config, text, writes_text)
    return config


def text_config(config: Any) -> Any:
    """The part that reads text (the configuration itself where it has no parts)."""
    named = getattr(config, "text_encoder", None)
    return named if named is not None else config.get_text_config()


def _senses(config: Any, text: Any) -> Iterator[tuple[str, Any]]:
    """The parts that see or hear, at any depth, with the words that say which of the two."""
    from transformers import PreTrainedConfig

    for name, value in list(vars(config).items()):
        if not isinstance(value, PreTrainedConfig) or value is text:
            continue
        role = f"{name} {type(value).__name__}".lower()
        if _SENSES.search(role):
            yield role, value
        yield from _senses(value, text)


def _fit_output(role: str, part: Any, text: Any, config: Any) -> None:
    """What a vision or audio part puts out must be as wide as the text part is."""
    width = getattr(text, "hidden_size", None)
    known = vars(part)
    if not isinstance(width, int):
        return
    _fit_vision_output(part, known)
    if isinstance(known.get("out_hidden_size"), int):
        part.out_hidden_size = width
    elif "spatial_merge_size" in known and _are_counts(known, "embed_dim", "hidden_size"):
        part.hidden_size = width
    elif "audio" in role and _are_counts(known, "output_dim"):
        part.output_dim = width
    elif (
        _are_counts(known, "projection_dim", "hidden_size")
        and getattr(config, "projection_dim", None) is None
    ):
        part.projection_dim = width


def _fit_vision_output(part: Any, known: dict[str, Any]) -> None:
    """A vision part tells how wide it comes out, which follows from what it puts side by side."""
    if not _are_counts(known, "vision_output_dim", "hidden_size"):
        return
    layers, ratio = known.get("intermediate_layers_indices"), known.get("pixel_shuffle_ratio")
    if isinstance(layers, list | tuple):
        part.vision_output_dim = part.hidden_size * (1 + len(layers))
    elif isinstance(ratio, float) and _are_counts(known, "projector_output_dim"):
        part.intermediate_size = int(part.hidden_size / ratio**2)
        part.projector_input_dim = part.projector_output_dim = part.vision_output_dim


def _are_counts(known: dict[str, Any], *names: str) -> bool:
    return all(isinstance(known.get(name), int) for name in names)


def _fit_pooling(config: Any) -> None:
    """Patches are pooled to a square of tokens: one that goes into their number."""
    from transformers import PreTrainedConfig

    pooled = getattr(config, "mm_tokens_per_image", None)
    vision: Any = getattr(config, "vision_config", None)
    if isinstance(pooled, int) and vision is not None:
        patches = vision.image_size // vision.patch_size
        sides = [side for side in range(1, patches + 1) if patches % side == 0]
        config.mm_tokens_per_image = max(side**2 for side in sides if side**2 <= pooled)
    _fit_shuffle(config, vision)
    for value in list(vars(config).values()):
        if isinstance(value, PreTrainedConfig):
            _fit_pooling(value)


def _fit_shuffle(config: Any, vision: Any) -> None:
    """Where squares of patches become one token each, a side has whole squares."""
    names = ("pixel_shuffle_factor", "scale_factor")
    factor = next((f for n in names if isinstance(f := vars(config).get(n), int) and f > 1), None)
    rate = vars(config).get("downsample_rate")
    if isinstance(rate, str) and "/" in rate:
        factor = int(rate.rpartition("/")[2])  # "4/8": windows of eight patches a side
    side, patch = (getattr(vision, name, None) for name in ("image_size", "patch_size"))
    if factor and isinstance(side, int) and isinstance(patch, int) and side // patch % factor:
        vision.image_size = max(1, side // patch // factor) * factor * patch


def _fit_pinpoints(config: Any) -> None:
    """Large pictures are cut into tiles of the vision part's size: they have whole ones."""
    points = getattr(config, "image_grid_pinpoints", None)
    side = getattr(getattr(config, "vision_config", None), "image_size", None)
    if points and isinstance(side, int):
        unit = min(min(pair) for pair in points)
        config.image_grid_pinpoints = [[each // unit * side for each in pair] for pair in points]


def _settle_tokens(config: Any, text: Any, writes_text: bool) -> None:
    """Batches need a pad token and generation needs an end: give both where none is set."""
    if (
        getattr(config, "is_encoder_decoder", False)
        and getattr(config, "decoder_start_token_id", None) is None
    ):
        starts = [getattr(text, f"{role}_token_id", None) for role in ("bos", "pad")]
        config.decoder_start_token_id = next((s for s in starts if s is not None), 0)
    vocabulary = getattr(text, "vocab_size", None)
    if not isinstance(vocabulary, int) or not hasattr(text, "eos_token_id"):
        return
    if text.eos_token_id is None and writes_text:
        text.eos_token_id = vocabulary - 1
    _place_modal_tokens(config, vocabulary)
    if getattr(text, "pad_token_id", None) is None and text.eos_token_id is not None:
        ends = text.eos_token_id
        text.pad_token_id = ends[0] if isinstance(ends, list | tuple) else ends


def _place_modal_tokens(config: Any, vocabulary: int) -> None:
    """The token that stands for an image or a sound, where the configuration leaves it open."""
    used = {value for value in vars(config).values() if isinstance(value, int)}
    free = (index for index in range(vocabulary - 2, 0, -1) if index not in used)
    for name in ("image", "audio", "video"):
        for ending in ("id", "index"):
            key = f"{name}_token_{ending}"
            if key in vars(config) and getattr(config, key) is None:
                setattr(config, key, next(free))
