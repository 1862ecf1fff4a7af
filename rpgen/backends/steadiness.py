"""Whether a result is one that two backends can agree on.

A choice among near-equals (an expert, a code, the best of the proposals) falls one way or the
other by a rounding, and what follows from it is another result. Such a model shows itself: torch
gives other results, too, for weights that are a few roundings off.
"""

import copy
from collections.abc import Mapping
from typing import Any

from rpgen.backends.call import flat_call
from rpgen.backends.figures import differences

TRIES = 3
ROUNDINGS = 4.0
"""By which each weight is moved at most, in units of its last digit."""


def unsteady(
    model: Any, arguments: Mapping[str, Any], reference: Mapping[str, Any], depth: int
) -> set[str]:
    """The outputs that rounding alone takes further than a backend may be from torch. It costs a
    copy of the model and some runs: ask only where a backend was."""
    import torch

    found: set[str] = set()
    for seed in range(TRIES):
        moved = copy.deepcopy(model)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in moved.parameters():
                if weight.is_floating_point():
                    _move(weight, generator)
        apart = differences(flat_call(moved, arguments).reference, reference, depth)
        found |= {each.output for each in apart if each.is_beyond}
    return found


def _move(weight: Any, generator: Any) -> None:
    import torch

    drawn = torch.rand(weight.shape, generator=generator, dtype=torch.float32)
    step = ROUNDINGS * torch.finfo(weight.dtype).eps
    weight.mul_((1.0 + step * (2.0 * drawn - 1.0)).to(weight.device, weight.dtype))
