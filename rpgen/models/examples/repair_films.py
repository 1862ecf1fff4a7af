"""Rules for what goes wrong with films beside pictures, and with sounds beside a text."""

import re

from rpgen.models.examples.facts import figure
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.guess_sounds import BANDS
from rpgen.models.examples.guess_text import marks_of_films
from rpgen.models.examples.repair_joint import IdleError
from rpgen.models.examples.situation import Situation

_FILM = "pixel_values_videos"
_FLAT = 2
_STACKED = 3


def film_rank_as_told(failure: Failure) -> Situation | None:
    """Films with fewer axes: the line that failed orders those of `pixel_values_videos`."""
    told = failure.numbers(r"input\.dim\(\) = \d is not equal to len\(dims\) = (\d)")
    if told is None or _FILM not in failure.line or failure.situation.film_rank == told[0]:
        return None
    return failure.situation.but(film_rank=told[0])


def film_between_marks(failure: Failure) -> Situation | None:
    """Places of a film that nobody counts: they are those of pictures, between two marks."""
    now = failure.situation
    told = re.search(r"[Vv]ideo tokens do not match, tokens: 0\b", failure.words)
    if told is None or now.spans or not now.places.get("video"):
        return None
    return now.but(spans=True) if marks_of_films(failure.facts) else None


def one_id_a_place(failure: Failure) -> Situation | None:
    """A sound changes nothing beside ids of all codebooks: another form of them is documented."""
    error, now = failure.error, failure.situation
    ids = failure.specs.get("input_ids")
    if not isinstance(error, IdleError) or ids is None or now.flat:
        return None
    forms = failure.facts.arguments["input_ids"].text.split(" or ")[1:]
    other = any(form.count(",") == _FLAT - 1 for form in forms)
    return now.but(flat=True) if other and len(ids.shape) == _STACKED else None


def mask_that_selects(failure: Failure) -> Situation | None:
    """As many features as places, and yet they don't fit: a mask of numbers picked rows instead
    of hiding some: "Audio features and audio tokens do not match, tokens: 64, features: 64"."""
    found = failure.numbers(r"udio tokens do not match, tokens: (\d+), features: (\d+)")
    if not found or found[0] != found[1] or failure.situation.boolean_masks:
        return None
    return failure.situation.but(boolean_masks=True)


def bands_in_proportion(failure: Failure) -> Situation | None:
    """Bands that no figure tells, and that come out as so many times as many:
    "mat1 and mat2 shapes cannot be multiplied (64x160 and 8x32)" of 80 bands means 4."""
    found = failure.numbers(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
    spec, now = failure.specs.get("input_features"), failure.situation
    if not found or spec is None or figure(failure.facts.audio, *BANDS) is not None:
        return None
    bands = spec.shape[-1]
    wanted, rest = divmod(bands * found[1], found[0])
    tried = now.fixes.get("input_features", ())
    if rest or not wanted or tried or "audio" not in failure.source.lower():
        return None
    return now.with_fix("input_features", (bands, wanted, len(spec.shape) - 1))
