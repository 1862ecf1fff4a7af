"""What the database remembers of a tiny model of an architecture, so that nothing is searched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.models.awake import of_weights


@dataclass(frozen=True)
class Recipe:
    """How a type's tiny model is made with one head, what it was run with, how far it got.

    `rung` is a place in the ladder of `shrink`, `settings` values by path over it, `inputs`
    the plain form of the specs of `rpgen.models.examples`, `kinds` what they hold together.
    `levels` are those that were reached, "joint" only where `kinds` are all that the type
    takes together, `missed` those that were not, with what was said; `left_out` are checks that
    don't apply to the type, each with the reason (see `rpgen.grounds`); `limits` is
    what the call can't hold, by the model's own code, each with what shows it: a kind that one of
    `kinds` excludes, or the "whole" of a type whose parts alone are called.
    """

    auto_class: str
    rung: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    missed: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)


def from_plain(plain: Mapping[str, Any]) -> Recipe:
    return Recipe(
        plain["auto_class"],
        plain["rung"],
        plain.get("settings", {}),
        plain.get("inputs", {}),
        tuple(plain.get("levels", ())),
        plain.get("missed", {}),
        plain.get("left_out", {}),
        tuple(plain.get("kinds", ())),
        plain.get("limits", {}),
    )


def to_plain(recipe: Recipe) -> dict[str, Any]:
    """What is empty is left out."""
    plain = {
        "auto_class": recipe.auto_class,
        "rung": recipe.rung,
        "settings": dict(recipe.settings),
        "inputs": dict(recipe.inputs),
        "kinds": list(recipe.kinds),
        "levels": list(recipe.levels),
        "missed": dict(recipe.missed),
        "left_out": dict(recipe.left_out),
        "limits": dict(recipe.limits),
    }
    return {key: value for key, value in plain.items() if value or key == "rung"}


def applies(check: str, auto_class: str | None, inputs: Mapping[str, Any]) -> bool:
    """Whether the inputs (in plain form) have the form that a check needs."""
    writes = auto_class in ("AutoModelForCausalLM", "AutoModelForImageTextToText")
    match check:
        case "rows":
            sizes = {_rows(plain) for plain in inputs.values()}
            return len(sizes) == 1 and min(sizes) > 1
        case "look_ahead":
            return writes and "input_ids" in inputs
        case "cache":
            return writes and bool(inputs) and set(inputs) <= {"input_ids", "attention_mask"}
    return True


def _rows(plain: Mapping[str, Any]) -> int:
    shape = plain.get("shape")
    if shape is not None:
        return int(shape[0]) if shape else 0
    values = plain.get("values")
    return len(values) if isinstance(values, list) else 0


def weights_of(model_type: str | None, auto_class: str) -> dict[str, Any]:
    """The settings that say how the weights of any tiny model of a type begin, with that head."""
    from rpgen import model_database

    known = model_database.load().architecture(model_type)
    if known is None:
        return {}
    settings = {**known.tiny.get("settings", {}), **known.head(auto_class).settings}
    return {path: value for path, value in settings.items() if of_weights(path)}


def recipe_of(model_type: str | None) -> Recipe | None:
    """What is remembered of a type; None where nothing is."""
    from rpgen import model_database

    if model_type is None:
        return None
    plain = model_database.load().raw_architectures.get(model_type, {}).get("tiny")
    return from_plain(plain) if plain and "rung" in plain else None
