"""How far two results may be apart and still count as the same: one place for all checks."""

from dataclasses import dataclass

import torch

from rpgen.models.rounding import WRITTEN, allowed, roundings_of, scale_of
from rpgen.models.rounding import shut as shut

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
    spread, largest = scale_of(reference)
    return tolerance_of(spread, largest, dtype, depth)


def tolerance_of(spread: float, largest: float, dtype: torch.dtype, depth: int) -> Tolerance:
    """The same from the figures of the reference: its standard deviation, its largest value."""
    eps, roundings = torch.finfo(dtype).eps, roundings_of(dtype)
    name = str(dtype).removeprefix("torch.")
    return Tolerance(
        allowed(spread, largest, dtype, depth),
        f"{roundings:g} roundings of {name} ({eps:.2g}) x sqrt(1 + {depth} layers)"
        f" x the spread of the reference {spread:.3g}"
        f" + {WRITTEN:g} of its largest value {largest:.3g}",
    )
