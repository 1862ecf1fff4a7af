"""How far rounding may take a result: for the checks, and for what other backends compute."""

import math
from typing import Any

ROUNDINGS = {"float64": 256.0, "float32": 256.0, "float16": 16.0, "bfloat16": 8.0}
"""Roundings that one layer may add up to, per dtype.

Products are accumulated in fp32 on every backend, so that the half types lose a few roundings
a layer, at its input and its output, while fp32 loses one per term of its long sums.
"""

WRITTEN = 4.0
"""Roundings of the largest value itself: a sum around 100 has no digits left for 1e-6."""

_FEW = 8.0


def roundings_of(dtype: Any) -> float:
    return ROUNDINGS.get(str(dtype).removeprefix("torch."), _FEW)


def allowed(spread: float, largest: float, dtype: Any, depth: int) -> float:
    """The largest absolute difference of results that `depth` layers computed in `dtype`.

    Errors of layers are independent, so they grow with the square root of the depth. They are
    measured against the spread of the reference, not against 1: outputs of 1e-3 and of 1e3
    deserve the same care. Writing a large value down costs a rounding of its own, whatever the
    spread.
    """
    import torch

    eps = float(torch.finfo(dtype).eps)
    return eps * (roundings_of(dtype) * math.sqrt(1 + depth) * spread + WRITTEN * largest)


def scale_of(reference: Any) -> tuple[float, float]:
    """The spread of a result and its largest value.

    A constant reference is measured against its own magnitude. Values that are shut out are no
    part of its spread, or it would allow anything.
    """
    import torch

    values = reference.detach()
    values = values[torch.isfinite(values) & ~shut(values)].double()
    spread = float(values.std(unbiased=False)) if values.numel() else 0.0
    largest = float(values.abs().max()) if values.numel() else 0.0
    return spread or largest, largest


def shut(values: Any) -> Any:
    """Where a value is the very least or most of its dtype: put there to shut something out (a
    token that may not come next), and not computed."""
    import torch

    limits = torch.finfo(values.dtype)
    return (values == limits.min) | (values == limits.max)


def layers_of(config: Any) -> int:
    """How many layers an error passes through: encoder and decoder layers together.

    1 where the configuration doesn't say (or there is none).
    """
    if config is None:
        return 1
    names = ("num_hidden_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers")
    parts = [config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", ()))]
    counts = [getattr(part, name, None) for part in parts for name in names]
    return max(1, sum(n for n in counts if isinstance(n, int)))
