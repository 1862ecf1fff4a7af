"""Smaller pictures for the models that read them with a text."""

from collections.abc import Mapping
from typing import Any

from rpgen.models.shrink_fit import first_count, is_count, nodes

PATCHES = 8  # a side, of a picture that becomes as many tokens of a text as it has patches


def _patch_side(vision: Mapping[str, Any]) -> int | None:
    """Of a square; of a film's the last of (frames, height, width)."""
    tube = vision.get("tubelet_size")
    side = first_count(vision, ("patch_size",))
    return tube[-1] if side is None and isinstance(tube, list | tuple) else side


def fit_pictures(small: dict[str, Any]) -> None:
    """A text with a token for each patch of a large picture is mostly picture: a smaller one."""
    for node in nodes(small):
        vision = node.get("vision_config")
        if not isinstance(node, dict) or not isinstance(vision, dict):
            continue
        side, patch = _side(vision.get("image_size")), _patch_side(vision)
        staged = any(key in vision for key in ("depths", "window_size", "stage_names"))
        if side is None or patch is None or staged or side <= PATCHES * patch:
            continue
        before = side // patch
        several = isinstance(vision["image_size"], list | tuple)
        for key in ("image_size", "crop_size"):
            if key == "image_size" or vision.get(key) == side:
                vision[key] = [PATCHES * patch] * 2 if several else PATCHES * patch
        for place in (node, vision):
            for key in ("image_seq_length", "num_image_tokens", "num_position_embeddings"):
                if place.get(key) == before**2:
                    place[key] = PATCHES**2


def _side(size: Any) -> int | None:
    """Of a square picture, given as one side or as both."""
    if isinstance(size, list | tuple):
        return size[0] if len(size) == 2 and size[0] == size[1] and is_count(size[0]) else None
    return size if is_count(size) else None
