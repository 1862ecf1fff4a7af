"""How the checks run a model: without gradients, from one seed, nothing left behind."""

from collections.abc import Mapping
from typing import Any

import torch

from rpgen.models.quiet import seeded

SEED = 11
"""Models that draw (speech, for one) draw the same in every run of a check."""

Inputs = Mapping[str, Any]


def run(model: Any, inputs: Inputs, **options: Any) -> Any:
    """The model's output for `inputs`, moved to its device."""
    device = device_of(model)
    with seeded(SEED), torch.inference_mode():
        return model(**on(inputs, device), **options)


def on(inputs: Inputs, device: torch.device, dtype: torch.dtype | None = None) -> dict[str, Any]:
    """The inputs on a device; floating ones in `dtype` if one is given."""
    moved: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, torch.Tensor):
            kept = value.dtype if dtype is None or not value.is_floating_point() else dtype
            moved[name] = value.to(device, kept)
        else:
            moved[name] = value
    return moved


def device_of(model: torch.nn.Module) -> torch.device:
    return next(tensor.device for tensor in model.parameters())


def dtype_of(model: torch.nn.Module) -> torch.dtype:
    """The dtype of the first floating parameter: what the model computes in."""
    return next(tensor.dtype for tensor in model.parameters() if tensor.is_floating_point())


def weights_mb(model: torch.nn.Module) -> float:
    size: int = sum(tensor.numel() * tensor.itemsize for tensor in model.parameters())
    return size / 2**20
