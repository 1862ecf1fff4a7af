"""Weights that begin as nothing, in a model that nobody trained.

A gate that is shut, a projection or a codebook of zeros: training opens them. Until then what
goes through them has no say in the result, and a test of it could not fail. A batch norm that has
seen no data doesn't normalise: a signal may fade away on its way through many, and so it does
through many layers whose weights are drawn as small as suits wider ones.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_GATE = re.compile(r"gate(_\w+)?$|(^|[._])alpha(_\w+)?$")
_AJAR = 0.5
_SPREAD = 0.02
_GLANCE = 1_024

NORM_GAIN = "untrained_norm_gain"
"""The entry of a configuration that says by how much batch norms without data amplify."""

FAN_GAIN = "untrained_fan_gain"
"""The entry that says by how much each layer amplifies at least (1: what comes out spreads as
what goes in), as in Glorot's and He's initialisations."""

NORM_DATA = "untrained_norm_data"
"""The entry that gives the shape of noise of which batch norms without data take their mean and
variance, as they take them in training from pictures."""

UNTRAINED = (NORM_GAIN, FAN_GAIN, NORM_DATA)

SPREAD = "initializer_range"
"""What transformers' own configurations call the spread of weights that nobody trained."""


def of_weights(path: str) -> bool:
    """Whether a setting says how weights begin, and nothing of the model's structure."""
    return path in UNTRAINED or path.rpartition(".")[2] == SPREAD


def awaken(
    model: Any,
    seed: int,
    norm_gain: float | None = None,
    fan_gain: float | None = None,
    norm_data: Sequence[int] | None = None,
) -> None:
    """Opens the gates, and fills each matrix of zeros with numbers from the seed; the gains are
    those of NORM_GAIN and FAN_GAIN, the data those of NORM_DATA.

    Buffers only where a checkpoint holds them: the others are computed anew with each load.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in _kept(model):
            if values.numel() == 1:
                if _GATE.search(name) and values.item() == 0:
                    values.fill_(_AJAR)
            elif values.ndim > 1 and _empty(values):
                values.copy_(_rows(values, generator))
        if norm_gain is not None:
            for norm in unused_norms(model):
                norm.weight.fill_(norm_gain)
        if fan_gain is not None:
            for module, fan_in in _weighted(model):
                _widen(module, fan_gain / fan_in**0.5)
        if norm_data is not None:
            _show(model, torch.randn(*norm_data, generator=generator))


def _show(model: Any, noise: "torch.Tensor") -> None:
    """Each batch norm without data takes that of the noise, in one run of the model."""
    norms = list(unused_norms(model))
    usual = [(norm, norm.momentum) for norm in norms]
    model.eval()
    for norm in norms:
        norm.momentum = 1.0  # of the new in the mean of old and new
        norm.train()
    try:
        model(noise)
    finally:
        for norm, momentum in usual:
            norm.momentum = momentum
            norm.eval()


def _weighted(model: Any) -> "Iterator[tuple[Any, float]]":
    """Linear layers and convolutions, each with the inputs of one output."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.modules.conv._ConvTransposeNd):
            weight = module.weight
            yield module, weight.numel() / weight.shape[1] / math.prod(module.stride)
        elif isinstance(module, torch.nn.Linear | torch.nn.modules.conv._ConvNd):
            yield module, module.weight[0].numel()


def _widen(module: Any, spread: float) -> None:
    """Its weight to a spread, where it is less; what is all alike stays so. A weight that is
    made of its length and its direction gets another length."""
    weight = module.weight
    if weight.is_meta or weight.numel() < 2:
        return
    parts = getattr(module, "parametrizations", {})
    present = float(weight.std())
    if 0 < present < spread:
        kept = parts["weight"].original0 if "weight" in parts else weight
        kept.mul_(spread / present)


def unused_norms(model: Any) -> "Iterator[torch.nn.modules.batchnorm._BatchNorm]":
    """The batch norms whose statistics are those of no data."""
    import torch

    for module in model.modules():
        if not isinstance(module, torch.nn.modules.batchnorm._BatchNorm) or not module.affine:
            continue
        mean, variance = module.running_mean, module.running_var
        if mean is None or variance is None:
            continue
        if not mean.any() and bool((variance == 1).all()):
            yield module


def _kept(model: Any) -> "Iterator[tuple[str, torch.Tensor]]":
    yield from model.named_parameters()
    stored = model.state_dict().keys()
    yield from ((name, each) for name, each in model.named_buffers() if name in stored)


def _empty(values: "torch.Tensor") -> bool:
    if not values.is_floating_point() or values.is_meta or not values.numel():
        return False
    return not values.reshape(-1)[:_GLANCE].any() and not values.any()


def _rows(values: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    """Rows of one length: of the entries of a codebook the best direction is the nearest, not
    the shortest entry."""
    import torch

    drawn = torch.randn(values.shape, generator=generator).flatten(1)
    length = _SPREAD * drawn.shape[1] ** 0.5
    return (drawn * (length / drawn.norm(dim=1, keepdim=True))).view(values.shape)
