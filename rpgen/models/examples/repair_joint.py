"""Repairs of calls that join a text with something else: places in the text, axes of a sound."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rpgen.models.examples.guess_text import PLACES, place_token
from rpgen.models.examples.kinds import spoken_of
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Kind

if TYPE_CHECKING:
    from rpgen.models.examples.failure import Failure

_FEW = 2
_FRAMES = 128
_PIECES = 16
_FEATURES = frozenset({"input_features", "audio_input_features"})


class IdleError(Exception):
    """A run succeeded, and one of its inputs changed nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(f"another {name} changes nothing")
        self.name = name


def place_for_idle(failure: "Failure") -> Situation | None:
    """What changes nothing has no place in the text."""
    if not isinstance(failure.error, IdleError):
        return None
    kind = spoken_of(failure.error.name)
    return None if kind in failure.situation.places else _with_place(failure, kind, _FEW)


def instead_of_decoder_ids(failure: "Failure") -> Situation | None:
    """What the decoder begins with is given, so that nobody asks what it could be made from."""
    now, name = failure.situation, "decoder_input_ids"
    if not isinstance(failure.error, IdleError) or name not in now.names:
        return None
    return None if failure.facts.arguments[name].required else now.without(name)


def place_for_values(failure: "Failure") -> Situation | None:
    """Features are written to where the text has a token for them: "value tensor of shape [8, 64]
    cannot be broadcast to indexing result of shape [0, 64]"."""
    counts = failure.numbers(
        r"shape mismatch: value tensor of shape \[(\d+).*indexing result of shape \[(\d+)"
    )
    if counts is None:
        return None
    count = max(_FEW, -(-counts[0] // failure.situation.batch))
    kind = spoken_of(failure.line) or spoken_of(failure.source)
    return _with_place(failure, kind, count)


def place_for_sounds(failure: "Failure") -> Situation | None:
    """A sound for which the text has no token, counted one by one."""
    if not re.search(r"number of audio tokens is .*number of audio given", failure.words):
        return None
    return _with_place(failure, "audio", _FEW)


def place_for_token(failure: "Failure") -> Situation | None:
    """The token is told: "tokens (0) and features (8) do not match for token id 40"."""
    told = failure.numbers(r"tokens \(\d+\) and features \((\d+)\) .* token id (\d+)")
    if told is None:
        return None
    kinds = [kind for kind in PLACES if place_token(failure.facts, kind) == told[1]]
    return _with_place(failure, next(iter(kinds), None), -(-told[0] // failure.situation.batch))


def _with_place(failure: "Failure", kind: str | None, count: int) -> Situation | None:
    now = failure.situation
    if kind is None or place_token(failure.facts, kind) is None or now.places.get(kind) == count:
        return None
    return now.but(places={**now.places, kind: count})


def sound_as_told(failure: "Failure") -> Situation | None:
    """A length, or a multiple of one; where it is right the other axis is meant to be time."""
    names = {n for n in failure.situation.names if re.search("input_(features|values)|audio", n)}
    multiple = failure.numbers(r"multiple of (?:`[^`]*` \()?(\d+)")
    length = failure.numbers(r"of length (\d+), but found \d+")
    if not names or not (multiple or length):
        return None
    if length:
        wanted = length[0]
    else:
        assert multiple is not None
        pieces = -(-_FRAMES // multiple[0]) if names & _FEATURES else _PIECES
        wanted = multiple[0] * pieces
    now = failure.situation
    return now.but(samples=wanted) if now.samples != wanted else _turned(now)


def sound_turned(failure: "Failure") -> Situation | None:
    """Frames where the bands should be: the sizes are right and stand the wrong way round."""
    for name in _FEATURES & set(failure.specs):
        spec = failure.specs[name]
        if spec.kind is not Kind.NORMAL or len(spec.shape) != 3:
            continue
        for given, wanted in _swapped(failure):
            if (given, wanted) in (spec.shape[1:], spec.shape[:0:-1]):
                return _turned(failure.situation)
    return None


def _swapped(failure: "Failure") -> Iterator[tuple[int, int]]:
    """Pairs of sizes of which one came in the place of the other."""
    for pattern in (
        r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        r"to have (\d+) channels, but got (\d+) channels",
        r"shape of the mask \[\d+, (\d+)\] at index 1 .* tensor \[\d+, (\d+), \d+\] at index 1",
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
    ):
        found = failure.numbers(pattern)
        if found:
            yield found[0], found[1]


def _turned(now: Situation) -> Situation | None:
    return None if "turned" in now.tried else now.but(turned=True).once("turned")


def fewer_axes(failure: "Failure") -> Situation | None:
    """A mask of pictures rather than of their pixels: `rows, pictures = pixel_mask.shape`."""
    told = re.search(r"too many values to unpack \(expected (\d)\)", failure.words)
    if told is None:
        return None
    named = re.search(r"=\s*(pixel_\w*mask)\.(?:shape|size\(\))", failure.line)
    now = failure.situation
    if named is None or named[1] not in failure.specs or int(told[1]) != _FEW:
        return None
    return now.but(axes={**now.axes, named[1]: _FEW}, pixel_rank=5, pixel_images=_FEW)


def mask_as_told(failure: "Failure") -> Situation | None:
    """A mask is of what the model makes of a sound rather than of the sound."""
    sizes = failure.numbers(
        r"shape of the mask \[\d+, (\d+)\] at index 1 .* tensor \[\d+, (\d+)[\d, ]*\] at index 1"
    )
    named = re.search(r"\[(\w*mask\w*)", failure.line)
    if sizes is None or named is None or named[1] not in failure.specs:
        return None
    fix = (sizes[0], sizes[1], 1)
    known = failure.situation.fixes.get(named[1], ())
    return None if fix in known else failure.situation.with_fix(named[1], fix)
