"""Trying guesses until a run of the model succeeds: all kinds of input together first."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rpgen.models.examples.facts import Facts, facts_of
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.features import places
from rpgen.models.examples.guess import guess
from rpgen.models.examples.idle import idle
from rpgen.models.examples.repair import repaired
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Spec, draw, placed

_REPAIRS = 8
_ERRORS_KEPT = 4
SECONDS = 20.0
"""Of processor time: what is found does not depend on how busy the machine is."""

_STATES = ("query_embeds", "encoder_hidden_states")
"""What a text and a picture have become, in a part between the two that takes only that."""

_PICTURES = (
    "pixel_values", "image_pixel_values", "flattened_patches", "visual_feats", "visual_embeds",
    "pixel_values_videos",
)  # fmt: skip
_SOUNDS = (
    "input_features", "input_values", "audio_input_features", "audio_values", "audio_input_ids",
    "user_audio_codes", "audio_codes", "audio_prompt_latents", "input_audio_embeds",
)  # fmt: skip
_OTHERS = (*_PICTURES, *_SOUNDS, "waveform")
_COMPANIONS = {
    "pixel_values": (
        "image_grid_thw",
        "images_per_sample",
        "image_token_pooling",
        "image_grids",
        "spatial_shapes",
        "image_position_ids",
        "pixel_position_ids",
        "target_sizes",
        "aspect_ratio_ids",
        "aspect_ratio_mask",
        "cross_attention_mask",
        "image_merge_sizes",
    ),
    "flattened_patches": ("image_embeds_position_mask",),
    "pixel_values_videos": ("video_grid_thw",),
    "image_pixel_values": ("image_sizes", "image_attention_mask"),
    "audio_input_features": ("audio_embed_sizes",),
    "input_features": ("input_features_mask", "feature_attention_mask"),
}  # fmt: skip
_IMAGES = (224, 512, 640)


class Level(StrEnum):
    """How much of what a model can take one call holds."""

    FORWARD = "forward"
    JOINT = "joint"


@dataclass(frozen=True)
class Found:
    """Inputs that a run succeeded with, and how many runs it took to find them."""

    specs: Mapping[str, Spec]
    level: Level
    attempts: int


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

    def run(self) -> Found | None:
        alone = initial_names(self.facts)
        half = (time.process_time() + self.deadline) / 2
        for situation in self._starts():
            if situation.names != alone and time.process_time() > half:
                continue  # what is left is for fewer kinds of input
            found = self._from(situation)
            if found is not None:
                return found
            if time.process_time() > self.deadline:
                self.errors.append("no time left")
                return None
        return None

    def _starts(self) -> Iterator[Situation]:
        for names in [*joint_names(self.facts), initial_names(self.facts)]:
            yield from _variants(names)

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
                    return Found(specs, level_of(specs), len(self.errors) + 1)
                self.seen.add(key)
                self._note(latest)
            assert latest is not None
            offer = repaired(Failure(latest, self.facts, situation, specs))
            if offer is None:
                return None
            situation = self._with_places(offer) if _other_features(situation, offer) else offer
        return None

    def _idle(self, specs: Mapping[str, Spec]) -> Exception | None:
        if level_of(specs) is not Level.JOINT:
            return None
        others = {name for name in specs if name.startswith(_OTHERS)}
        try:
            return idle(self.model, self.facts, specs, others)
        except Exception as error:  # noqa: BLE001 (other values of the same shape don't run)
            return error

    def _note(self, error: BaseException) -> None:
        told = _told(error)
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
    fields = ("names", "turned", "samples", "image", "fixes", "pixel_rank", "pixel_images")
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
    """Everything that carries text, pictures or sound, with what describes it; the fullest
    first, none where the model takes one kind."""
    pictures = [n for n in _PICTURES if facts.has(n)][:1]
    sounds = [n for n in _SOUNDS if facts.has(n)][:1]
    if set(_STATES) <= set(facts.arguments):
        return [tuple(dict.fromkeys([*initial_names(facts), *_STATES]))]
    if not any(_is_text(name) for name in facts.arguments) or not (pictures or sounds):
        return []
    both = [[*pictures, *sounds], pictures, sounds] if pictures and sounds else [pictures + sounds]
    return [_with_companions(facts, others) for others in both]


def _with_companions(facts: Facts, others: list[str]) -> tuple[str, ...]:
    companions = [n for other in others for n in _COMPANIONS.get(other, ()) if facts.has(n)]
    text = [n for n in ("input_ids", "attention_mask") if facts.has("input_ids") and facts.has(n)]
    kinds = [n for n in ("mm_token_type_ids",) if facts.has(n)]
    return tuple(dict.fromkeys([*initial_names(facts), *text, *others, *companions, *kinds]))


def _is_text(name: str) -> bool:
    return name.endswith("input_ids") and "audio" not in name


def level_of(specs: Mapping[str, Spec]) -> Level:
    if set(specs) >= set(_STATES):
        return Level.JOINT
    text = any(_is_text(name) for name in specs)
    other = any(name.startswith(_OTHERS) for name in specs)
    return Level.JOINT if text and other else Level.FORWARD


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
