"""Inputs for a model that has no processor to make them: of all kinds that it takes together.

What the database remembers of the architecture is tried first; else they are searched for,
which takes a few runs of the model. Either way it is done once for a model.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rpgen.errors import UsageError

if TYPE_CHECKING:
    import torch

    from rpgen.models.examples.spec import Spec

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
    from rpgen.models.examples.search import attempt, search
    from rpgen.models.examples.spec import from_plain
    from rpgen.models.recipe import recipe_of

    recipe = recipe_of(getattr(model.config, "model_type", None))
    if recipe is not None and recipe.inputs:
        known = {name: from_plain(plain) for name, plain in recipe.inputs.items()}
        facts = facts_of(model)
        if set(known) <= set(facts.arguments) and attempt(model, facts, known) is None:
            return known
    found, tried = search(model)
    if found is None:
        reason = tried.errors[0] if tried.errors else "it takes nothing that is known"
        raise UsageError(
            f"there is no example for {type(model).__name__}: write encode() in the test by hand"
            f" ({reason})"
        )
    return found.specs
