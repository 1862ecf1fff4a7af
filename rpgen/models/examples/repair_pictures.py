"""Rules for messages that tell of pictures: their sides, and what their axes are."""

import linecache
import math
import re

from rpgen.models.examples.failure import Failure
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.sizes import are_axes, picture

_LARGEST_IMAGE = 1500
_PIXELS = frozenset({"pixel_values", "pixel_values_videos"})


def larger_image(failure: Failure) -> Situation | None:
    small = "too small|smaller than|should be at least|Kernel size can.t be greater|negative dim"
    now = failure.situation
    if not re.search(small, failure.words) or not _PIXELS & set(now.names):
        return None
    shown = picture(failure.facts, now)
    if shown.height >= _LARGEST_IMAGE:
        return None
    return now.but(image=(shown.height * 2, shown.width * 2))


def image_as_told(failure: Failure) -> Situation | None:
    """The image that arrives may be several of those that were given, one beside another."""
    found = failure.numbers(
        r"Input image size \((\d+)\*(\d+)\) doesn't match model \((\d+)\*(\d+)\)"
    )
    if found is None:
        return None
    shown = picture(failure.facts, failure.situation)
    sides = shown.height * found[2] // found[0], shown.width * found[3] // found[1]
    return failure.situation.but(image=sides)


def patches_as_told(failure: Failure) -> Situation | None:
    """Only some numbers of patches have an entry in a table."""
    found = failure.numbers(r"patches \d+ not found .*?\[(\d+)")
    if found is None:
        return None
    side = math.isqrt(found[0]) * picture(failure.facts, failure.situation).patch
    return failure.situation.but(image=(side, side))


def rank_as_told(failure: Failure) -> Situation | None:
    """Pixels with more or fewer axes: frames, tiles, several images a row."""
    now, words, given = failure.situation, failure.words, failure.specs.get("pixel_values")
    if given is None:
        return None
    five = r"expected 5, got 4|must be a 5D|expected 5 dim|expected 4, got 3"
    if re.search(five, words) and now.pixel_rank != 5:
        return now.but(pixel_rank=5, pixel_images=2 if "batch_size, 2" in words else 1)
    tiles = failure.numbers(
        r"split_sizes to sum exactly to \d+ .*dimension 0\), but got split_sizes=\[(\d+)"
    )
    if tiles and (now.pixel_rank, now.pixel_images) != (5, tiles[0]):
        return now.but(pixel_rank=5, pixel_images=tiles[0])
    if "expected 6, got" in words and now.pixel_rank != 6:
        return now.but(pixel_rank=6)
    four = "too many values to unpack (expected 4" in words or "or 4D (batched) input" in words
    if four and len(given.shape) == 5:
        return now.but(pixel_rank=4) if now.pixel_rank is None else None
    return None


def axes_as_told(failure: Failure) -> Situation | None:
    """The line that failed tells what the axes of the pixels are: `B, T, H, W, C = x.shape`."""
    given, trace = failure.specs.get("pixel_values"), failure.error.__traceback__
    if given is None or trace is None or "to unpack (expected" not in failure.words:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    found = re.match(r"\s*([\w, ]+?)\s*=\s*(\w+)\.(?:shape|size\(\))\s*$", line)
    if found is None:
        return None
    names = tuple(each.strip() for each in found[1].split(","))
    taken = getattr(trace.tb_frame.f_locals.get(found[2]), "shape", ())
    if tuple(taken) != given.shape or not are_axes(names):
        return None
    return failure.situation.but(pixel_axes=names)
