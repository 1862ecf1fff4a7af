"""Rules for messages, and lines of code, that tell which arguments to give or to leave out."""

import linecache
import re
from types import FrameType

from rpgen.models.examples.apart import ONE_OF_TWO
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.guess import mentions
from rpgen.models.examples.situation import Situation

NEVER_GIVEN = re.compile(
    r"^(self|kwargs|return_dict|use_\w+|labels|inputs_embeds|encoder_outputs|image_embeds"
    r"|interpolate_pos_encoding|decoder_inputs_embeds|output_\w+)$|past_|cache|session"
)
_LINES_AROUND = 4
_WORD = re.compile(r"^\W*str\b")


def no_mask(failure: Failure) -> Situation | None:
    now, argument = failure.situation, failure.facts.arguments.get("attention_mask")
    named = re.search("attn_mask|attention_mask|mask", failure.words)
    if not named or argument is None or argument.required or "attention_mask" not in now.names:
        return None
    return now.without("attention_mask")


def boolean_masks(failure: Failure) -> Situation | None:
    if not re.search("boolean mask|dtype bool|only supports bool", failure.words):
        return None
    return failure.situation.but(boolean_masks=True)


def one_of_two(failure: Failure) -> Situation | None:
    if not ONE_OF_TWO.search(failure.words):
        return None
    now = failure.situation
    for name in ("inputs_embeds", "decoder_input_ids", "input_values", "pixel_values_videos"):
        if name in now.names and name in failure.words and len(now.names) > 1:
            return now.without(name)
    return None


def argument_named(failure: Failure) -> Situation | None:
    """The message names an argument that was not given."""
    missing = [name for name in _open_arguments(failure) if mentions(name, failure.words)]
    return failure.situation.with_names(*missing) if missing else None


def none_in_the_line(failure: Failure) -> Situation | None:
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


def handed_through(failure: Failure) -> Situation | None:
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
    given, known = failure.situation.names, failure.facts.arguments
    words = [name for name in known if _WORD.search(known[name].text)]
    return [n for n in known if n not in (*given, *words) and not NEVER_GIVEN.search(n)]


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames that the error went through with their lines, the innermost first."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return frames[::-1]
