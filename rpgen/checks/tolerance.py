"""How far two results may be apart and still count as the same: one place for all checks."""

import math
from dataclasses import dataclass

import torch

_ROUNDINGS = {torch.float64: 256.0, torch.float32: 256.0, torch.float16: 16.0, torch.bfloat16: 8.0}
"""Roundings that one layer may add up to, per dtype.

Products are accumulated in fp32 on every backend, so that the half types lose a few roundings
a layer, at its input and its output, while fp32 loses one per term of its long sums.
"""

_WRITTEN = 4.0
"""Roundings of the largest value itself: a sum around 100 has no digits left for 1e-6."""


_CONVOLUTIONS = (
    torch.nn.Conv1d,
    torch.nn.Conv2d,
    torch.nn.Conv3d,
    torch.nn.ConvTranspose1d,
    torch.nn.ConvTranspose2d,
    torch.nn.ConvTranspose3d,
)


@dataclass(frozen=True)
class Tolerance:
    """The largest absolute difference that is allowed, and the reason for its size."""

    absolute: float
    origin: str


def computed_in(dtype: torch.dtype, model: torch.nn.Module | None) -> torch.dtype:
    """The dtype whose roundings a model's result has.

    CUDA computes the convolutions of float32 in TF32, unless it is told otherwise: with the
    digits of float16.
    """
    if model is None or dtype is not torch.float32 or not torch.backends.cudnn.allow_tf32:
        return dtype
    on_cuda = any(parameter.device.type == "cuda" for parameter in model.parameters())
    convolves = on_cuda and any(isinstance(each, _CONVOLUTIONS) for each in model.modules())
    return torch.float16 if convolves else dtype


def tolerance_for(reference: torch.Tensor, dtype: torch.dtype, depth: int) -> Tolerance:
    """The tolerance of a result that `depth` layers computed in `dtype`.

    A constant reference is measured against its own magnitude. Values that are shut out are no
    part of its spread, or it would allow anything.
    """
    values = reference.detach()
    values = values[torch.isfinite(values) & ~shut(values)].double()
    spread = float(values.std(unbiased=False)) if values.numel() else 0.0
    if spread == 0.0 and values.numel():
        spread = float(values.abs().max())
    largest = float(values.abs().max()) if values.numel() else 0.0
    return tolerance_of(spread, largest, dtype, depth)


def shut(values: torch.Tensor) -> torch.Tensor:
    """Where a value is the very least or most of its dtype: put there to shut something out (a
    token that may not come next), and not computed."""
    limits = torch.finfo(values.dtype)
    return (values == limits.min) | (values == limits.max)


def tolerance_of(spread: float, largest: float, dtype: torch.dtype, depth: int) -> Tolerance:
    """The same from the figures of the reference: its standard deviation, its largest value.

    Errors of layers are independent, so they grow with the square root of the depth. They are
    measured against the spread of the reference, not against 1: outputs of 1e-3 and of 1e3
    deserve the same care. Writing a large value down costs a rounding of its own, whatever the
    spread.
    """
    eps = torch.finfo(dtype).eps
    roundings = _ROUNDINGS.get(dtype, 8.0)
    absolute = eps * (roundings * math.sqrt(1 + depth) * spread + _WRITTEN * largest)
    name = str(dtype).removeprefix("torch.")
    return Tolerance(
        absolute,
        f"{roundings:g} roundings of {name} ({eps:.2g}) x sqrt(1 + {depth} layers)"
        f" x the spread of the reference {spread:.3g}"
        f" + {_WRITTEN:g} of its largest value {largest:.3g}",
    )
