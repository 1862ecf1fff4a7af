"""Rules for messages that tell of two sizes which should be one."""

import math
import re
from collections.abc import Iterator

from rpgen.models.examples.facts import figure
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.sizes import CODEBOOKS, picture

_SECOND = 16_000
_MOST_FIXES = 4
_LONGEST_TEXT = 1000


def axis_as_told(failure: Failure) -> Situation | None:
    """One axis of a floating input has the wrong size, and the message says which is right."""
    if sum(len(each) for each in failure.situation.fixes.values()) >= _MOST_FIXES:
        return None
    for old, new, axis in _wrong_sizes(failure):
        offer = _fix(failure, old, new, axis)
        if offer is not None:
            return offer
    return None


def _wrong_sizes(failure: Failure) -> Iterator[tuple[int, int, int | None]]:
    found = failure.numbers(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
    if found:
        yield found[0], found[1], None
    shape = re.search(r"shape '\[-1, ([\d, ]+)\]' is invalid", failure.words)
    if shape:
        wanted = math.prod(int(each) for each in shape[1].split(","))
        for spec in failure.floats.values():
            if len(spec.shape) == 2 and spec.shape[-1] != wanted:
                yield spec.shape[-1], wanted, 1
    channels = failure.numbers(r"to have (\d+) channels, but got (\d+) channels")
    if channels:
        yield channels[1], channels[0], 1
        yield channels[1], channels[0], None
    sizes = failure.numbers(
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
        r" at non-singleton dimension (\d)"
    )
    if sizes:
        yield sizes[0], sizes[1], sizes[2]
    if re.search(r"per channel: \(\d+\)\. Kernel size: \(\d+\)", failure.words):
        for spec in failure.floats.values():
            if len(spec.shape) == 3 and spec.shape[1] == 1:  # a sound by another name
                yield spec.shape[2], _SECOND, 2
    joined = failure.numbers(
        r"must match except in dimension \d. Expected size (\d+) but got size (\d+)"
    )
    if joined:
        yield joined[0], joined[1], None
        yield joined[1], joined[0], None
    last = failure.numbers(
        r"expected input with shape \[\*, (\d+)\], but got input of size\s*\[[\d, ]*?(\d+)\]"
    )
    if last:
        yield last[1], last[0], None


def _fix(failure: Failure, old: int, new: int, axis: int | None) -> Situation | None:
    for name, spec in reversed(failure.floats.items()):
        known = failure.situation.fixes.get(name, ())
        there = old in spec.shape if axis is None else spec.shape[axis : axis + 1] == (old,)
        if there and 0 < new < 100_000 and (old, new, axis) not in known and len(known) < 3:
            return failure.situation.with_fix(name, (old, new, axis))
    return None


def streams(failure: Failure) -> Situation | None:
    """Ids of several streams a place where they meet one offset for each: text and codebooks."""
    found = failure.numbers(
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
        r" at non-singleton dimension 1"
    )
    ids, now = failure.specs.get("input_ids"), failure.situation
    if not found or ids is None or len(ids.shape) != 2 or found[0] != ids.shape[1]:
        return None
    books = figure(failure.facts.config, *CODEBOOKS, kinds=(int,))
    return now.but(streams=found[1]) if books and found[1] in (books, books + 1) else None


def text_as_long(failure: Failure) -> Situation | None:
    """Texts that are added to something of another length."""
    found = failure.numbers(
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
        r" at non-singleton dimension 1"
    )
    ids, now = failure.specs.get("input_ids"), failure.situation
    if not found or ids is None or len(ids.shape) != 2 or "length" in now.tried:
        return None
    if ids.shape[1] not in found:
        return None
    other = found[0] if ids.shape[1] == found[1] else found[1]
    length = now.length + other - ids.shape[1]
    return now.but(length=length).once("length") if 0 < length < _LONGEST_TEXT else None


def image_of_that_side(failure: Failure) -> Situation | None:
    found = failure.numbers(
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
        r" at non-singleton dimension ([2-9])"
    )
    now = failure.situation
    if not found or "pixel_values" not in failure.specs or "side" in now.tried:
        return None
    if picture(failure.facts, now).height != found[0]:
        return None
    return now.but(image=(found[1], found[1])).once("side")
