"""What to change in a guess after `forward` raised: one rule for each kind of message.

A rule sees the error's words and returns another situation, or None where it has nothing to
offer. The first offer is taken; a situation that was tried before is none.
"""

import re

from rpgen.models.examples import (
    repair_arguments,
    repair_films,
    repair_joint,
    repair_pictures,
    repair_sizes,
)  # fmt: skip
from rpgen.models.examples.facts import figure, walk
from rpgen.models.examples.failure import Failure, Rule
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.sizes import WIDTHS
from rpgen.models.seams import text_config

_MOST_PLACES = 20_000
_MOST_SAMPLES = 60_000
_SOUNDS = frozenset({"input_features", "input_values", "audio_values"})


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


def _with_end(failure: Failure) -> Situation | None:
    """The end of a text stands for all of it, in some models."""
    if "must contain at least one <eos>" not in failure.words:
        return None
    return failure.situation.but(ended=True)


def _longer_sound(failure: Failure) -> Situation | None:
    small = "too small|smaller than|Kernel size can.t be greater|negative dim|shorter than"
    now = failure.situation
    if not re.search(small, failure.words) or not _SOUNDS & set(now.names):
        return None
    samples = now.samples or 8000
    return now.but(samples=samples * 2) if samples < _MOST_SAMPLES else None


def _one_row(failure: Failure) -> Situation | None:
    """Some models take one example at a time."""
    told = "batch.size.*(1|one)\\b|stack expects each tensor to be equal size"
    if failure.situation.batch > 1 and re.search(told, failure.words):
        return failure.situation.but(batch=1)
    return None


RULES: tuple[Rule, ...] = (
    repair_films.one_id_a_place,
    repair_joint.place_for_idle,
    repair_joint.instead_of_decoder_ids,
    repair_joint.place_for_values,
    repair_joint.place_for_sounds,
    repair_joint.place_for_token,
    repair_films.film_between_marks,
    repair_films.mask_that_selects,
    _places,
    _smaller_ids,
    _with_end,
    repair_pictures.larger_image,
    _longer_sound,
    repair_pictures.image_as_told,
    repair_pictures.patches_as_told,
    repair_films.film_rank_as_told,
    repair_films.bands_in_proportion,
    repair_joint.sound_as_told,
    repair_joint.sound_turned,
    repair_joint.fewer_axes,
    repair_joint.mask_as_told,
    repair_arguments.no_mask,
    repair_sizes.axis_as_told,
    repair_sizes.streams,
    repair_sizes.text_as_long,
    repair_sizes.image_of_that_side,
    repair_pictures.axes_as_told,
    repair_pictures.rank_as_told,
    repair_arguments.boolean_masks,
    repair_arguments.one_of_two,
    repair_arguments.argument_named,
    repair_arguments.none_in_the_line,
    repair_arguments.handed_through,
    _one_row,
)
