"""Vision parts that wrap a model of the package timm: tiny ones of transformers' own instead.

timm's name of an architecture fixes its size, and the package is often not there. A part keeps
the class of its configuration, which its whole may insist on; the architecture in it becomes
`TINY`, and for that `rpgen.models.timm_stand_in` builds a ConvNeXt of transformers (without
norms of a batch, which copies that share weights don't load). It gives out what the whole
reads: maps of all stages, one map, tokens, or scores of classes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

TINY = "tiny_convnext"
SIDE = 64  # of a picture
REDUCTION = 32  # from the side of a picture to that of the last map
WIDTHS = (16, 24, 32, 48)
"""Channels of the four stages, where the configuration does not say how wide the last is."""

_PLACES = ("vision_soft_tokens_per_image", "image_seq_length")
_LISTS = ("backbone_channel_list",)


def is_wrapped(part: Mapping[str, Any]) -> bool:
    """Is it a configuration that names an architecture of timm, and arguments for it?"""
    return {"architecture", "model_args"} <= part.keys()


def tiny_part(small: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the part, which were made small, with an architecture of our own; what
    gives out the maps of all stages takes pictures as large as its whole says."""
    own = {**small, "architecture": TINY}
    several = (small["model_args"] or {}).get("features_only")
    return own if several else {**own, "image_size": SIDE}


def fit_wrapped(small: dict[str, Any]) -> None:
    """What a whole says of its part: how many places a picture has, how wide the maps are."""
    parts = [value for value in small.values() if isinstance(value, Mapping)]
    if not any(part.get("architecture") == TINY for part in parts):
        return
    for name in _PLACES:
        if isinstance(small.get(name), int):
            small[name] = (SIDE // REDUCTION) ** 2
    for name in _LISTS:
        if name in small:  # the smallest map first
            small[name] = list(reversed(WIDTHS))


def wrapped_parts(config: Any) -> Iterator[Any]:
    """The configurations in the tree whose model is the stand-in."""
    from transformers import PreTrainedConfig

    for value in list(vars(config).values()):
        if not isinstance(value, PreTrainedConfig):
            continue
        if getattr(value, "architecture", None) == TINY:
            yield value
        yield from wrapped_parts(value)
