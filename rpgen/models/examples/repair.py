"""What to change in a guess after `forward` raised: one rule for each kind of message.

A rule sees the error's words and returns another situation, or None where it has nothing to
offer. The first offer is taken; a situation that was tried before is none.
"""

import linecache
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType

from rpgen.models.examples import repair_joint
from rpgen.models.examples.facts import Facts, figure, walk
from rpgen.models.examples.guess import mentions
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.sizes import CODEBOOKS, WIDTHS, are_axes, picture
from rpgen.models.examples.spec import Kind, Spec
from rpgen.models.seams import text_config

NEVER_GIVEN = re.compile(
    r"^(self|kwargs|return_dict|use_\w+|labels|inputs_embeds|encoder_outputs|image_embeds"
    r"|interpolate_pos_encoding|decoder_inputs_embeds|output_\w+)$|past_|cache|session"
)
_LINES_AROUND = 4
_MOST_PLACES = 20_000
_LARGEST_IMAGE = 1500
_MOST_SAMPLES = 60_000
_SECOND = 16_000
_MOST_FIXES = 4
_LONGEST_TEXT = 1000
_SOUNDS = frozenset({"input_features", "input_values", "audio_values"})
_PIXELS = frozenset({"pixel_values", "pixel_values_videos"})


@dataclass(frozen=True)
class Failure:
    """What `forward` raised for which inputs."""

    error: BaseException
    facts: Facts
    situation: Situation
    specs: Mapping[str, Spec]

    @property
    def words(self) -> str:
        return str(self.error)

    @property
    def floats(self) -> dict[str, Spec]:
        return {name: spec for name, spec in self.specs.items() if spec.kind is Kind.NORMAL}

    @property
    def line(self) -> str:
        """The line that failed."""
        trace, line = self.error.__traceback__, ""
        while trace is not None:
            line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
            trace = trace.tb_next
        return line

    def numbers(self, pattern: str) -> list[int] | None:
        found = re.search(pattern, self.words, re.S)
        return [int(each) for each in found.groups()] if found else None


Rule = Callable[[Failure], Situation | None]


def repaired(failure: Failure) -> Situation | None:
    """The first offer of the rules that differs from what was tried."""
    for rule in RULES:
        offer = rule(failure)
        if offer is not None and offer != failure.situation:
            return offer
    return None


def _places(failure: Failure) -> Situation | None:
    """As many tokens as there are features: "tokens: 0, features: 32"."""
    words, now = failure.words, failure.situation
    found = failure.numbers(
        r"tokens[:=]?\s*(\d+).*?features?:?\s*(?:of shape\s*)?(?:torch\.Size\(\[)?(\d+)"
    ) or failure.numbers(r"placeholder tokens \((\d+)\) does not match .*?\((\d+)\)")
    other_way_round = failure.numbers(r"Got (\d+) image patches for (\d+) image placeholder tokens")
    found = other_way_round[::-1] if other_way_round else found
    if found is None:
        return None
    kind = "audio" if "udio" in words else "video" if "ideo" in words else "image"
    count = -(-found[1] // now.batch)
    width = figure(failure.facts.config, *WIDTHS, kinds=(int,)) or 1
    own = getattr(text_config(failure.facts.config), "hidden_size", None) or width
    if found[0] == found[1] and count % own == 0:
        count //= own  # some count numbers, not tokens
    elif count >= _MOST_PLACES and count % width == 0:
        count //= width
    if count == now.places.get(kind) or count >= _MOST_PLACES:
        return None
    return now.but(places={**now.places, kind: count})


def _smaller_ids(failure: Failure) -> Situation | None:
    if not re.search("index out of range in self|out of bounds", failure.words):
        return None
    now = failure.situation
    if "smallest vocabulary" not in now.tried:
        sizes = [
            value
            for node in walk(failure.facts.config)
            for key, value in vars(node).items()
            if key.endswith("vocab_size") and type(value) is int
        ]
        limit = max(4, min(sizes)) if sizes else 4
        return now.but(ids_below=limit).once("smallest vocabulary")
    if "four ids" not in now.tried:
        return now.but(ids_below=4, length=4).once("four ids")
    return None


def _larger_image(failure: Failure) -> Situation | None:
    small = "too small|smaller than|should be at least|Kernel size can.t be greater|negative dim"
    now = failure.situation
    if not re.search(small, failure.words) or not _PIXELS & set(now.names):
        return None
    shown = picture(failure.facts, now)
    if shown.height >= _LARGEST_IMAGE:
        return None
    return now.but(image=(shown.height * 2, shown.width * 2))


def _longer_sound(failure: Failure) -> Situation | None:
    small = "too small|smaller than|Kernel size can.t be greater|negative dim|shorter than"
    now = failure.situation
    if not re.search(small, failure.words) or not _SOUNDS & set(now.names):
        return None
    samples = now.samples or 8000
    return now.but(samples=samples * 2) if samples < _MOST_SAMPLES else None


def _image_as_told(failure: Failure) -> Situation | None:
    """The image that arrives may be several of those that were given, one beside another."""
    found = failure.numbers(
        r"Input image size \((\d+)\*(\d+)\) doesn't match model \((\d+)\*(\d+)\)"
    )
    if found is None:
        return None
    shown = picture(failure.facts, failure.situation)
    sides = shown.height * found[2] // found[0], shown.width * found[3] // found[1]
    return failure.situation.but(image=sides)


def _patches_as_told(failure: Failure) -> Situation | None:
    """Only some numbers of patches have an entry in a table."""
    found = failure.numbers(r"patches \d+ not found .*?\[(\d+)")
    if found is None:
        return None
    side = math.isqrt(found[0]) * picture(failure.facts, failure.situation).patch
    return failure.situation.but(image=(side, side))


def _no_mask(failure: Failure) -> Situation | None:
    now, argument = failure.situation, failure.facts.arguments.get("attention_mask")
    named = re.search("attn_mask|attention_mask|mask", failure.words)
    if not named or argument is None or argument.required or "attention_mask" not in now.names:
        return None
    return now.without("attention_mask")


def _sizes(failure: Failure) -> Situation | None:
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


def _streams(failure: Failure) -> Situation | None:
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


def _text_as_long(failure: Failure) -> Situation | None:
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


def _image_of_that_side(failure: Failure) -> Situation | None:
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


def _rank(failure: Failure) -> Situation | None:
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


def _axes(failure: Failure) -> Situation | None:
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


def _boolean(failure: Failure) -> Situation | None:
    if not re.search("boolean mask|dtype bool|only supports bool", failure.words):
        return None
    return failure.situation.but(boolean_masks=True)


def _conflict(failure: Failure) -> Situation | None:
    if not re.search(
        r"[Cc]annot specify both|[Ee]xactly one|not both|at the same time|only one of",
        failure.words,
    ):
        return None
    now = failure.situation
    for name in ("inputs_embeds", "decoder_input_ids", "input_values", "pixel_values_videos"):
        if name in now.names and name in failure.words and len(now.names) > 1:
            return now.without(name)
    return None


def _named(failure: Failure) -> Situation | None:
    """The message names an argument that was not given."""
    missing = [name for name in _open_arguments(failure) if mentions(name, failure.words)]
    return failure.situation.with_names(*missing) if missing else None


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames that the error went through with their lines, the innermost first."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return frames[::-1]


def _none_in_the_line(failure: Failure) -> Situation | None:
    """The line that failed uses an argument that is None there."""
    for around in (0, _LINES_AROUND):
        for frame, number in _frames(failure.error):
            text = "".join(
                linecache.getline(frame.f_code.co_filename, each)
                for each in range(number - around, number + around + 1)
            )
            for name in _open_arguments(failure):
                if frame.f_locals.get(name, name) is None and mentions(name, text):
                    return failure.situation.with_names(name)
    return None


def _handed_through(failure: Failure) -> Situation | None:
    """The line that failed uses an argument of a part of the model that is None there; the
    outermost such part, which the model hands its further arguments to."""
    if not failure.facts.takes_more:
        return None
    for frame, number in reversed(_frames(failure.error)):
        code = frame.f_code
        if code.co_name != "forward" or "transformers" not in code.co_filename:
            continue
        line = linecache.getline(code.co_filename, number)
        for name in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]:
            unset = name in frame.f_locals and frame.f_locals[name] is None
            if unset and mentions(name, line) and not NEVER_GIVEN.search(name):
                return failure.situation.with_names(name)
    return None


def _open_arguments(failure: Failure) -> list[str]:
    """What could be given and is not."""
    given = failure.situation.names
    return [n for n in failure.facts.arguments if n not in given and not NEVER_GIVEN.search(n)]


def _one_row(failure: Failure) -> Situation | None:
    """Some models take one example at a time."""
    told = "batch.size.*(1|one)\\b|stack expects each tensor to be equal size"
    if failure.situation.batch > 1 and re.search(told, failure.words):
        return failure.situation.but(batch=1)
    return None


RULES: tuple[Rule, ...] = (
    repair_joint.place_for_idle, repair_joint.place_for_values, repair_joint.place_for_sounds,
    repair_joint.place_for_token, _places, _smaller_ids, _larger_image, _longer_sound,
    _image_as_told, _patches_as_told, repair_joint.sound_as_told, repair_joint.sound_turned,
    repair_joint.fewer_axes, repair_joint.mask_as_told, _no_mask, _sizes, _streams,
    _text_as_long, _image_of_that_side, _axes, _rank, _boolean, _conflict, _named,
    _none_in_the_line, _handed_through, _one_row,
)  # fmt: skip
