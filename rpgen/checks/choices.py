"""What a model chooses on the way: the experts of a token, the nearest code, the best boxes.

A choice turns a difference of a rounding into a whole one, so that a result in a half type is
another. Whether that is why two results differ can be proven: the choices of the one run are
put into the other, and what is left must be rounding.
"""

from collections import defaultdict
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_RANKED = {"topk": 2, "kthvalue": 2, "sort": 1, "max.dim": 1, "min.dim": 1, "median.dim": 1}
"""Operators that give values with their places, and where among the arguments the axis is."""


_CHOSEN = {
    "argmax", "argmin", "argsort", "round", "floor", "ceil", "trunc", "sign", "bucketize.Tensor",
    "searchsorted.Tensor", "floor_divide", "multinomial", "nonzero", "heaviside",
    *(f"{name}.{kind}" for name in ("eq", "ne", "lt", "le", "gt", "ge")
      for kind in ("Tensor", "Scalar")),
}  # fmt: skip


class DivergedError(Exception):
    """The two runs don't make the same choices in the same order: none can be put in."""


class Choices(TorchDispatchMode):  # type: ignore[misc]
    """Records the choices of a run; with those of another, puts them in the place of its own.

    `told` says how many of each kind would have been others.
    """

    def __init__(self, former: "Choices | None" = None) -> None:
        super().__init__()
        self.made: dict[str, list[torch.Tensor]] = defaultdict(list)
        self._former = former
        self.told: dict[str, tuple[int, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = _name_of(func, args, result)
        if name is None:
            return result
        own = result[1] if name in _RANKED else result
        place = len(self.made[name])
        self.made[name].append(own.detach().clone())
        if self._former is None:
            return result
        before = self._former.made[name]
        if place >= len(before) or before[place].shape != own.shape:
            raise DivergedError(name)
        chosen = before[place].to(own.dtype)
        self._tell(name, int((chosen != own).sum()), own.numel())
        if name not in _RANKED:
            return chosen
        dim = _axis(name, args, kwargs or {})
        return (_values(args[0], dim, chosen), chosen, *result[2:])

    def _tell(self, name: str, other: int, of: int) -> None:
        former = self.told.get(name, (0, 0))
        self.told[name] = (former[0] + other, former[1] + of)

    def __str__(self) -> str:
        found = {name: told for name, told in self.told.items() if told[0]}
        return ", ".join(
            f"{name.partition('.')[0]} chooses otherwise at {other} of {of} places"
            for name, (other, of) in found.items()
        )


def _name_of(func: Any, args: Any, result: Any) -> str | None:
    """The kind of choice that an operator makes, None where it makes none."""
    first = args[0] if args else None
    if not isinstance(first, torch.Tensor) or not first.is_floating_point():
        return None
    name = str(func).removeprefix("aten.").removesuffix(".default").removesuffix(".stable")
    if name == "_to_copy":
        return "to integers" if not result.is_floating_point() else None
    return name if name in _RANKED or name in _CHOSEN else None


def _values(whole: torch.Tensor, dim: int, chosen: torch.Tensor) -> torch.Tensor:
    """The values at the places that were chosen before."""
    if chosen.dim() == whole.dim():
        return whole.gather(dim, chosen)
    return whole.gather(dim, chosen.unsqueeze(dim)).squeeze(dim)


def _axis(name: str, args: Any, kwargs: Any) -> int:
    place = _RANKED[name]
    return int(args[place]) if len(args) > place else int(kwargs.get("dim", -1))
