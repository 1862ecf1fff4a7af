"""Inputs for a model that has no processor to make them: of all kinds that it takes together.

What the database remembers of the architecture is tried first; else they are searched for,
which takes a few runs of the model. Either way it is done once for a model. For the very tiny
model that an entry is of, with the transformers that it was found with, nothing is searched: an
entry that no longer holds is a fault to be told, not a slow way to the same result.
"""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rpgen.errors import UsageError

if TYPE_CHECKING:
    import torch

    from rpgen.models.examples.facts import Facts
    from rpgen.models.examples.spec import Spec
    from rpgen.models.recipe import Recipe

_found: "WeakKeyDictionary[Any, Mapping[str, Spec]]" = WeakKeyDictionary()


def example_inputs(model: Any, seed: int = 0) -> "dict[str, torch.Tensor]":
    """Tensors for one call of the model, as a rule two rows, from a seed.

    Values are drawn, never constant, and lie on the model's device in its dtype. Raises
    UsageError, with what the model raised, where no inputs are found.
    """
    from rpgen.models.examples.facts import facts_of
    from rpgen.models.examples.spec import draw, placed

    if model not in _found:
        _found[model] = _specs(model)
    return placed(draw(_found[model], seed, facts_of(model).special_ids()), model)


def _specs(model: Any) -> "Mapping[str, Spec]":
    from rpgen.models.examples.facts import facts_of
    from rpgen.models.examples.search import search
    from rpgen.models.examples.spec import from_plain
    from rpgen.models.recipe import recipe_of

    recipe = recipe_of(getattr(model.config, "model_type", None))
    if recipe is not None and recipe.inputs:
        known = {name: from_plain(plain) for name, plain in recipe.inputs.items()}
        problem = _problem(model, facts_of(model), known)
        if problem is None:
            return known
        if _is_remembered(model, recipe):
            name = model.config.model_type
            raise UsageError(
                f"what the model database remembers of {name} doesn't hold ({problem}): find it"
                f" anew with `python -m rpgen.architectures {name}`"
            )
    found, tried = search(model)
    if found is None:
        reason = tried.errors[0] if tried.errors else "it takes nothing that is known"
        raise UsageError(
            f"there is no example for {type(model).__name__}: write encode() in the test by hand"
            f" ({reason})"
        )
    return found.specs


def _problem(model: Any, facts: "Facts", known: "Mapping[str, Spec]") -> str | None:
    """Why the model can't be run with these."""
    from rpgen.models.examples.search import attempt

    strange = sorted(set(known) - set(facts.arguments))
    if strange and facts.takes_more:
        strange = sorted(set(strange) - _taken_within(model))
    if strange:
        return f"its forward takes no {', '.join(strange)}"
    raised = attempt(model, facts, known)
    return None if raised is None else f"{type(raised).__name__}: {raised}"


def _taken_within(model: Any) -> set[str]:
    """The arguments of all parts: what the whole doesn't name it may hand on to one."""
    kinds = {type(module) for module in model.modules()}
    return {name for kind in kinds for name in inspect.signature(kind.forward).parameters}


def _is_remembered(model: Any, recipe: "Recipe") -> bool:
    """Whether this is the tiny model of the recipe, in the version that it was found with."""
    import transformers

    from rpgen.model_database import load
    from rpgen.models.tiny import tiny_config

    if load().made_with.get("transformers") != transformers.__version__:
        return False
    model_type = model.config.model_type
    known = load().architecture(model_type)
    names = () if known is None else (known.class_names.get(recipe.auto_class), recipe.auto_class)
    if type(model).__name__ not in names:
        return False
    config = tiny_config(model_type, None, recipe.auto_class)
    return bool(_figures(config.to_dict()) == _figures(model.config.to_dict()))


def _figures(value: Any) -> Any:
    """A configuration without what a load notes down in it."""
    if not isinstance(value, dict):
        return value
    noted = ("dtype", "architectures", "transformers_version", "_name_or_path")
    return {key: _figures(each) for key, each in value.items() if key not in noted}
