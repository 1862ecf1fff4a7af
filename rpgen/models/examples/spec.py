"""What one argument of `forward` is drawn from: enough to make it again from a seed."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Kind(StrEnum):
    """What the values are."""

    TOKENS = "tokens"  # ids of the vocabulary below `high`, none of them special
    NORMAL = "normal"  # floating numbers around 0
    ONES = "ones"  # a mask that hides nothing
    ZEROS = "zeros"
    COUNT = "count"  # 0, 1, 2, ... along the last axis
    FIXED = "fixed"  # `values`, as they stand


@dataclass(frozen=True)
class Spec:
    """`runs` are (start, length, value) along the last axis, put over what was drawn: places of
    an image in a text. `dtype` is torch's name; floating values are moved to the model's."""

    kind: Kind
    shape: tuple[int, ...]
    dtype: str = "int64"
    high: int = 0
    runs: tuple[tuple[int, int, int], ...] = ()
    values: Any = None

    @property
    def floating(self) -> bool:
        return self.dtype == "float32"


def normal(*shape: int) -> Spec:
    return Spec(Kind.NORMAL, shape, "float32")


def ones(*shape: int, dtype: str = "int64") -> Spec:
    return Spec(Kind.ONES, shape, dtype)


def zeros(*shape: int, dtype: str = "int64") -> Spec:
    return Spec(Kind.ZEROS, shape, dtype)


def fixed(values: Any, dtype: str = "int64") -> Spec:
    """Numbers in nested lists, or one number."""
    return Spec(Kind.FIXED, _shape_of(values), dtype, values=values)


def tokens(shape: tuple[int, ...], high: int) -> Spec:
    return Spec(Kind.TOKENS, shape, high=high)


def with_runs(spec: Spec, runs: Collection[tuple[int, int, int]]) -> Spec:
    return replace(spec, runs=tuple(runs))


def draw(
    specs: Mapping[str, Spec], seed: int, special: Collection[int] = ()
) -> "dict[str, torch.Tensor]":
    """The tensors, on the CPU in fp32. No id of `special` is drawn."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {name: _drawn(spec, generator, special) for name, spec in specs.items()}


def placed(inputs: "Mapping[str, torch.Tensor]", model: Any) -> "dict[str, torch.Tensor]":
    """On the model's device, floating ones in its dtype."""
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
        for name, value in inputs.items()
    }


def _drawn(spec: Spec, generator: "torch.Generator", special: Collection[int]) -> "torch.Tensor":
    import torch

    dtype = getattr(torch, spec.dtype)
    match spec.kind:
        case Kind.TOKENS:
            made = _ids(spec, generator, special).to(dtype)
        case Kind.NORMAL:
            made = torch.randn(spec.shape, generator=generator, dtype=dtype) * 0.5
        case Kind.ONES:
            made = torch.ones(spec.shape, dtype=dtype)
        case Kind.ZEROS:
            made = torch.zeros(spec.shape, dtype=dtype)
        case Kind.COUNT:
            made = torch.arange(spec.shape[-1]).expand(spec.shape).clone().to(dtype)
        case Kind.FIXED:
            made = torch.tensor(spec.values, dtype=dtype)
    for start, length, value in spec.runs:
        made[..., start : start + length] = value
    return made


def _ids(spec: Spec, generator: "torch.Generator", special: Collection[int]) -> "torch.Tensor":
    import torch

    first = 3 if spec.high > 8 else 0
    known = set(special)
    pool = [i for i in range(first, spec.high) if i not in known] or list(range(spec.high))
    places = torch.randint(0, len(pool), (math.prod(spec.shape),), generator=generator)
    return torch.tensor(pool)[places].reshape(spec.shape)


def _shape_of(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list | tuple):
        return ()
    return (len(values), *(_shape_of(values[0]) if values else ()))


def to_plain(spec: Spec) -> dict[str, Any]:
    """For a file: what equals the default is left out."""
    plain: dict[str, Any] = {"kind": str(spec.kind)}
    if spec.kind is Kind.FIXED:
        plain["values"] = spec.values
    else:
        plain["shape"] = list(spec.shape)
    if spec.dtype != "int64":
        plain["dtype"] = spec.dtype
    if spec.high:
        plain["high"] = spec.high
    if spec.runs:
        plain["runs"] = [list(run) for run in spec.runs]
    return plain


def from_plain(plain: Mapping[str, Any]) -> Spec:
    """The inverse of `to_plain`."""
    values = plain.get("values")
    return Spec(
        Kind(plain["kind"]),
        tuple(plain["shape"]) if "shape" in plain else _shape_of(values),
        plain.get("dtype", "int64"),
        plain.get("high", 0),
        tuple(tuple(run) for run in plain.get("runs", ())),
        values,
    )
