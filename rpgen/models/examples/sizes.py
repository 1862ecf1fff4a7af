"""From the words of a documented shape to numbers: (batch_size, num_channels, height, width)."""

import re
from dataclasses import dataclass
from typing import Any

from rpgen.models.examples.facts import Facts, figure, first
from rpgen.models.examples.situation import Situation

_ROWS = frozenset(
    {"batch_size", "batch", "bs", "b", "num_images", "num_images_or_videos", "num_videos"}
    | {"num_audios", "num_chunks", "total_batch_size"}
)
_SIDES = ("image_size", "img_size", "input_size", "eval_size")
_SIDE = 128
_SPELLED = 32  # of any size, and coded at full size into tokens
_MANY_CHANNELS = 16
_FRAMES = 4
_MANY_FRAMES = 64
CODEBOOKS = ("num_codebooks", "n_codebooks", "num_quantizers")
WIDTHS = ("hidden_size", "d_model", "embed_dim", "n_embd")


@dataclass(frozen=True)
class Picture:
    """What the vision part takes: sides and channels in pixels, patches, patches per token."""

    height: int
    width: int
    channels: int
    patch: int
    merge: int
    frames_per_patch: int

    @property
    def patch_values(self) -> int:
        return self.channels * self.patch * self.patch


def picture(facts: Facts, situation: Situation) -> Picture:
    vision = facts.vision
    height, width = situation.image or _sides(facts)
    channels = facts.number(
        "num_channels", "in_channels", "in_chans", "num_image_channels", default=3, place=vision
    )
    return Picture(
        height,
        width,
        channels if channels <= _MANY_CHANNELS else 3,
        facts.number("patch_size", "spatial_patch_size", default=16, place=vision),
        facts.number("spatial_merge_size", "merge_size", "merge_kernel_size", default=2),
        facts.number("temporal_patch_size", "tubelet_size", default=1, place=vision),
    )


def frames(facts: Facts) -> int:
    count = facts.number("num_frames", "frames_per_clip", default=_FRAMES)
    return count if count <= _MANY_FRAMES else 8


def grid(facts: Facts, situation: Situation, *, film: bool = False) -> tuple[int, int, int]:
    """Frames, rows and columns of patches: few, and a whole number of tokens."""
    side = 2 * picture(facts, situation).merge
    times = facts.number("temporal_merge_size", default=1, place=facts.vision) if film else 1
    return times, side, side


def size_of(word: str, facts: Facts, situation: Situation) -> int:
    """The number behind one word of a shape."""
    plain = word.lower().replace("config.", "").strip("` ")
    shown = picture(facts, situation)
    if plain.isdigit():
        return int(plain)
    if plain in _ROWS:
        return situation.batch
    known: dict[str, int] = {
        "num_channels": shown.channels, "channels": shown.channels,
        "height": shown.height, "image_height": shown.height, "image_size": shown.height,
        "frame_size": shown.height, "width": shown.width, "image_width": shown.width,
        "num_choices": 2,
    }  # fmt: skip
    if plain in known:
        return known[plain]
    return _size_by_meaning(plain, facts, situation)


def product(word: str, facts: Facts) -> int:
    """Of figures of the vision part: `3 * patch_size ** 2`, `patch_size_ x patch_size x 3`."""
    value = 1
    for factor in re.split(r"\*| x ", word.replace("**", "^")):
        base, _, power = (each.strip(" _") for each in factor.partition("^"))
        number = int(base) if base.isdigit() else facts.number(base, default=1, place=facts.vision)
        value *= number ** int(power or 1)
    return value


_AXES = {
    "b": "rows", "n": "rows", "batch_size": "rows", "batch": "rows",
    "t": "frames", "num_frames": "frames", "frames": "frames",
    "h": "height", "height": "height", "w": "width", "width": "width",
    "c": "channels", "channels": "channels", "num_channels": "channels",
}  # fmt: skip


def are_axes(names: tuple[str, ...]) -> bool:
    """Are these what code calls the axes of pictures, each once?"""
    return len({_AXES.get(name.lower(), "") for name in names} - {""}) == len(names)


def sizes_of_axes(names: tuple[str, ...], facts: Facts, situation: Situation) -> tuple[int, ...]:
    """Of pixels whose axes are called so; without a size of pictures they are patches."""
    shown = picture(facts, situation)
    whole = figure(facts.vision, *_SIDES, kinds=(int, list, tuple, dict)) is not None
    sizes = {
        "rows": situation.batch,
        "frames": frames(facts) if whole else shown.frames_per_patch,
        "height": shown.height if whole else shown.patch,
        "width": shown.width if whole else shown.patch,
        "channels": shown.channels,
    }
    return tuple(sizes[_AXES[name.lower()]] for name in names)


def _size_by_meaning(plain: str, facts: Facts, situation: Situation) -> int:
    if re.search("seq|length|num_tokens|time", plain):
        return situation.length
    if plain in ("num_frames", "frames"):
        return frames(facts)
    if plain in ("num_codebooks", "codebooks"):
        return facts.number(*CODEBOOKS, default=4)
    value = figure(facts.config, plain, kinds=(int,))
    if value:
        return int(value)
    if re.search("hidden|embed|feature|dim", plain):
        return facts.number(*WIDTHS, default=64)
    return 4


def _sides(facts: Facts) -> tuple[int, int]:
    found: Any = figure(facts.vision, *_SIDES, kinds=(int, list, tuple, dict))
    if found is None:
        more = (*_SIDES[:2], "anchor_image_size")
        found = figure(facts.config, *more, kinds=(int, list, tuple, dict))
    if isinstance(found, dict):
        return int(found.get("height", _SIDE)), int(found.get("width", _SIDE))
    if found is None or (isinstance(found, list | tuple) and not found):
        spelled = figure(facts.config, "channel_multiplier") and not figure(
            facts.config, "resolution"
        )
        return (_SPELLED, _SPELLED) if spelled else (_SIDE, _SIDE)
    return first(found), first(found, 1)
