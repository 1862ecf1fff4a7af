"""Trying guesses until a run of the model succeeds: all kinds of input together first."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from rpgen.models.examples.apart import apart
from rpgen.models.examples.facts import Facts, facts_of
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.features import places
from rpgen.models.examples.guess import guess
from rpgen.models.examples.idle import idle
from rpgen.models.examples.kinds import (
    STATES,
    TEXT,
    carriers,
    companions,
    is_text,
    kind_of,
    kinds_of,
    together,
)  # fmt: skip
from rpgen.models.examples.repair import repaired
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Spec, draw, placed

_REPAIRS = 8
_SEVERAL = 2
_SHARE = 0.6
"""Of the time left, for one choice of kinds that smaller ones follow."""

_ERRORS_KEPT = 4
SECONDS = 20.0
"""Of processor time: what is found does not depend on how busy the machine is."""

_IMAGES = (224, 512, 640)


class Level(StrEnum):
    """How much of what a model can take one call holds."""

    FORWARD = "forward"
    JOINT = "joint"


@dataclass(frozen=True)
class Found:
    """Inputs that a run succeeded with, and how many runs it took to find them. `kinds` are
    those that the one call holds, `missing` those that `forward` takes and that could not be
    given beside them, each with why, `limits` those that no call holds beside them, each with
    what shows it."""

    specs: Mapping[str, Spec]
    attempts: int
    kinds: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """Joint is a call with all kinds that `forward` takes together, where it takes several."""
        return Level.FORWARD if self.missing or len(self.kinds) < _SEVERAL else Level.JOINT


@dataclass
class Search:
    """One search. `errors` tells what each attempt raised, in order; `raised` are the first of
    them that say different things."""

    model: Any
    facts: Facts
    deadline: float
    errors: list[str] = field(default_factory=list)
    raised: list[BaseException] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    refused: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Kinds that were tried together in vain, each with the last error of their first form."""
    latest: dict[tuple[str, ...], str] = field(default_factory=dict)
    apart: dict[frozenset[str], str] = field(default_factory=dict)
    """Kinds that exclude each other, each pair with what shows it."""

    def run(self) -> Found | None:
        """The fullest call that succeeds; what is left of half of the time is for fewer kinds."""
        best: Found | None = None
        half = (time.process_time() + self.deadline) / 2
        for names in joint_names(self.facts):
            if best is not None and len(best.kinds) >= len(kinds_of(names)):
                break
            if self._excluded(kinds_of(names)):
                continue
            now = time.process_time()
            until = now + (half - now) * _SHARE if len(kinds_of(names)) > _SEVERAL else half
            found = self._together(names, until)
            if found is not None and (best is None or len(found.kinds) > len(best.kinds)):
                best = found
        return self._told_what_is_missing(best or self._alone())

    def _together(self, names: tuple[str, ...], until: float) -> Found | None:
        best: Found | None = None
        kinds = kinds_of(names)
        for situation in _variants(names):
            if time.process_time() > until or self._excluded(kinds):
                break  # what is left is for fewer kinds of input
            self.latest = {}
            found = self._from(situation)
            if found is not None and set(found.kinds) >= set(kinds):
                return found
            best = best or found
            self.refused = {**self.latest, **self.refused}
        return best

    def _alone(self) -> Found | None:
        for situation in _variants(initial_names(self.facts)):
            found = self._from(situation)
            if found is not None:
                return found
            if time.process_time() > self.deadline:
                self.errors.append("no time left")
                break
        return None

    def _told_what_is_missing(self, found: Found | None) -> Found | None:
        if found is None:
            return None
        absent = [kind for kind in kinds_of(self.facts.arguments) if kind not in found.kinds]
        limits = {kind: why for kind in absent if (why := self._excluded((*found.kinds, kind)))}
        missing = {kind: self._why(kind, found.kinds) for kind in absent if kind not in limits}
        return replace(found, missing=missing, limits=limits)

    def _excluded(self, kinds: tuple[str, ...]) -> str:
        """What shows that two of these exclude each other; "" where nothing does."""
        return next((told for pair, told in self.apart.items() if pair <= set(kinds)), "")

    def _why(self, kind: str, beside: tuple[str, ...]) -> str:
        """What was said when the kind was tried with as few others as were found together."""
        tried = [kinds for kinds in self.refused if kind in kinds]
        tried.sort(key=lambda kinds: (not set(beside) <= set(kinds), len(kinds)))
        return self.refused[tried[0]] if tried else "no time left"

    def _from(self, situation: Situation) -> Found | None:
        if "image" in self.facts.config.model_type or len(situation.names) > 1:
            situation = self._with_places(situation)
        latest: Exception | None = None
        for _ in range(_REPAIRS):
            if time.process_time() > self.deadline:
                return None
            try:
                specs = guess(self.facts, situation)
            except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
                self.errors.append(f"guessing: {type(error).__name__}: {error}")
                return None
            key = repr(sorted(specs.items(), key=lambda item: item[0]))
            if key in self.seen and latest is None:
                return None
            if key not in self.seen:
                latest = attempt(self.model, self.facts, specs)
                if latest is None:
                    latest = self._idle(specs)
                if latest is None:
                    return Found(specs, len(self.errors) + 1, kinds_of(specs))
                self.seen.add(key)
                self._note(latest, specs)
            assert latest is not None
            if self._excluded(kinds_of(specs)):
                return None
            offer = repaired(Failure(latest, self.facts, situation, specs))
            if offer is None:
                return None
            situation = self._with_places(offer) if _other_features(situation, offer) else offer
        return None

    def _idle(self, specs: Mapping[str, Spec]) -> Exception | None:
        if len(kinds_of(specs)) < _SEVERAL:
            return None
        others = {name for name in specs if kind_of(name) not in (None, TEXT)}
        try:
            return idle(self.model, self.facts, specs, others)
        except Exception as error:  # noqa: BLE001 (other values of the same shape don't run)
            return error

    def _note(self, error: BaseException, specs: Mapping[str, Spec]) -> None:
        self.latest[kinds_of(specs)] = told = _told(error)
        pair = apart(error, self.facts, specs)
        if pair is not None:
            self.apart.setdefault(*pair)
        if told not in self.errors and len(self.raised) < _ERRORS_KEPT:
            self.raised.append(error)
        self.errors.append(told)

    def _with_places(self, situation: Situation) -> Situation:
        if not {"input_ids"} & set(situation.names):
            return situation
        try:
            specs = guess(self.facts, situation)
        except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError):
            return situation
        found = places(self.facts, situation, specs)
        return situation.but(places={**situation.places, **found})


def search(model: Any, seconds: float = SECONDS) -> tuple[Found | None, Search]:
    """Inputs for a model, or None and what was raised on the way."""
    one = Search(model, facts_of(model), time.process_time() + seconds)
    return one.run(), one


def attempt(model: Any, facts: Facts, specs: Mapping[str, Spec]) -> Exception | None:
    """One run; what it raised. Running out of memory is no guess gone wrong and passes."""
    import torch

    from rpgen.models.quiet import seeded

    inputs = placed(draw(specs, 0, facts.special_ids()), model)
    try:
        with seeded(0), torch.inference_mode():
            model(**inputs)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, a rule may know it)
        return error
    return None


def _other_features(before: Situation, offer: Situation) -> bool:
    """Whether a repair may have changed how many places a picture or a sound takes."""
    if offer.places != before.places:
        return False
    fields = (
        "names", "turned", "samples", "image", "fixes", "pixel_rank", "pixel_images", "film_rank",
        "flat",
    )  # fmt: skip
    return any(getattr(before, name) != getattr(offer, name) for name in fields)


def initial_names(facts: Facts) -> tuple[str, ...]:
    """What `forward` can't do without."""
    required = [name for name, argument in facts.arguments.items() if argument.required]
    names = [*required, *facts.main_inputs]
    if getattr(facts.config, "is_encoder_decoder", False) and facts.has("decoder_input_ids"):
        names.append("decoder_input_ids")
    if "input_ids" in names and facts.has("attention_mask"):
        names.append("attention_mask")
    return tuple(dict.fromkeys(names))


def joint_names(facts: Facts) -> list[tuple[str, ...]]:
    """Everything that carries text, pictures, films or sound, with what describes it; the
    fullest first, none where the model takes one kind."""
    if set(STATES) <= set(facts.arguments):
        return [tuple(dict.fromkeys([*initial_names(facts), *STATES]))]
    if not any(is_text(name) for name in facts.arguments):
        return []
    others = carriers(facts.arguments)
    return [_with_companions(facts, [others[kind] for kind in kinds]) for kinds in together(others)]


def _with_companions(facts: Facts, others: list[str]) -> tuple[str, ...]:
    described = [n for other in others for n in companions(other) if facts.has(n)]
    text = [n for n in ("input_ids", "attention_mask") if facts.has("input_ids") and facts.has(n)]
    kinds = [n for n in ("mm_token_type_ids",) if facts.has(n)]
    return tuple(dict.fromkeys([*initial_names(facts), *text, *others, *described, *kinds]))


def _variants(names: tuple[str, ...]) -> Iterator[Situation]:
    """The forms that a signature leaves open, likelier ones first."""
    start = Situation(names)
    yield start
    yield start.but(layout=1)
    if any("pixel" in name for name in names):
        for side in _IMAGES:
            yield start.but(batch=1, image=(side, side))
        yield start.but(pixel_rank=3)
    yield from (start.but(layout=layout) for layout in (2, 3))
    yield start.but(batch=1)
    if not any("features" in name for name in names):  # samples, of which these are few
        yield start.but(samples=2000)
        yield start.but(layout=1, samples=1000)
    yield from (start.but(batch=1, layout=layout) for layout in (4, 5))


def _told(error: BaseException) -> str:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f" @{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:220]}{place}"
