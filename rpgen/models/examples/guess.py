"""From a situation to the specs of all arguments that it names."""

import re
from collections.abc import Mapping
from dataclasses import replace

from rpgen.models.examples import guess_pictures, guess_sounds, guess_text
from rpgen.models.examples.facts import Facts
from rpgen.models.examples.guess_text import Maker
from rpgen.models.examples.situation import Fix, Situation
from rpgen.models.examples.sizes import WIDTHS, size_of
from rpgen.models.examples.spec import Kind, Spec, normal, ones, tokens, zeros

MAKERS: Mapping[str, Maker] = {
    **guess_sounds.MAKERS,
    **guess_pictures.MAKERS,
    **guess_text.MAKERS,
    "padding_mask": guess_sounds.MAKERS["padding_mask"],
}
_LEFT_OUT = frozenset({"encoder_outputs", "interpolate_pos_encoding"})
_TOKENS_BELOW = 20


def guess(facts: Facts, situation: Situation) -> dict[str, Spec]:
    """Ids come first and masks last, because the others' sizes follow from them."""
    made: dict[str, Spec] = {}
    order = sorted(situation.names, key=lambda name: (name != "input_ids", name.endswith("mask")))
    for name in order:
        if name in made or name in _LEFT_OUT:
            continue
        if name not in facts.arguments:
            if facts.takes_more:  # a part of the model has it
                made[name] = normal(*_sequence(facts, situation))
            continue
        spec = _spec(name, facts, situation, made)
        if spec is not None:
            made[name] = _adjusted(name, spec, situation, "input_ids" in made)
    return made


def _spec(name: str, facts: Facts, situation: Situation, made: Mapping[str, Spec]) -> Spec | None:
    ids = made.get(name.replace("attention_mask", "input_ids"))
    if name not in MAKERS and name.endswith("_attention_mask") and ids is not None:
        return ones(*ids.shape)
    maker = _states_of_an_encoder if name == "encoder_hidden_states" else MAKERS.get(name)
    spec = maker(facts, situation, made) if maker else None
    return spec or _documented(name, facts, situation) or _by_name(name, facts, situation)


def _documented(name: str, facts: Facts, situation: Situation) -> Spec | None:
    """By the shape and type that the documentation of `forward` gives."""
    argument = facts.arguments[name]
    if not argument.shape:
        return None
    shape = tuple(size_of(word, facts, situation) for word in argument.shape)
    text = argument.text.lower()
    if "mask" in name:
        return ones(*shape, dtype="bool" if "bool" in text else "int64")
    if name.endswith(("input_ids", "_codes")):
        return tokens(shape, _TOKENS_BELOW)
    if "long" in text or "int" in text or name.endswith(("_ids", "index")):
        return zeros(*shape)
    return normal(*shape)


def _by_name(name: str, facts: Facts, situation: Situation) -> Spec | None:
    rows, length, _ = _sequence(facts, situation)
    if name == "mask" and not facts.arguments[name].required:
        return None
    if name.endswith("_mask"):
        return ones(rows, length)
    if name.endswith("_ids"):
        return zeros(rows, length)
    return normal(*_sequence(facts, situation))


def _sequence(facts: Facts, situation: Situation) -> tuple[int, int, int]:
    return situation.batch, situation.length, facts.number(*WIDTHS, default=64)


def _states_of_an_encoder(facts: Facts, situation: Situation, made: Mapping[str, Spec]) -> Spec:
    own = ("encoder_hidden_size", "cross_attention_hidden_size", "cross_hidden_size")
    width = facts.number(*own, *WIDTHS, default=64)
    return normal(situation.batch, situation.length, width)


def _adjusted(name: str, spec: Spec, situation: Situation, with_ids: bool) -> Spec:
    if spec.kind is Kind.NORMAL:
        return replace(spec, shape=_fixed(spec.shape, situation.fixes.get(name, ())))
    if name in situation.fixes and spec.kind is Kind.ONES:
        spec = replace(spec, shape=_fixed(spec.shape, situation.fixes[name]))
    if name in situation.axes:
        spec = replace(spec, shape=spec.shape[: situation.axes[name]])
    masks = situation.boolean_masks and "mask" in name
    if masks and spec.kind is Kind.ONES and not (name == "attention_mask" and with_ids):
        return replace(spec, dtype="bool")
    return spec


def _fixed(shape: tuple[int, ...], fixes: tuple[Fix, ...]) -> tuple[int, ...]:
    sizes = list(shape)
    for old, new, axis in fixes:
        if axis is None:
            places = [place for place, size in enumerate(sizes) if size == old]
            axis = places[-1] if places else None
        if axis is not None and len(sizes) > axis and sizes[axis] == old:
            sizes[axis] = new
    return tuple(sizes)


def mentions(name: str, text: str) -> bool:
    return re.search(rf"(?<![A-Za-z_]){re.escape(name)}(?![A-Za-z_])", text) is not None
