"""Memory: what a model and a run of it take, against what was predicted before the load.

Both sides are exact: weights are counted, and of a run the tensors that are alive at one time,
whatever an allocator or the kernel makes of them. So the result is the same on every machine
and in every run, and the bounds need room only for what a prediction can't know: how long and
wide the inputs are.
"""

import unittest
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rpgen.backends.attach import computed_of
from rpgen.checks.running import Inputs, device_of, dtype_of, run
from rpgen.checks.tensors import named_tensors
from rpgen.families import Family
from rpgen.hardware.types import Backend
from rpgen.placement.estimate import cache_mb, working_mb

MB = 2**20
OF_WEIGHTS, LEAST_OF_WEIGHTS_MB = 1.25, 2.0
"""Weights may be that much more or less than predicted: buffers, tied or unused tensors."""

OF_A_RUN, OF_INPUTS, OF_OUTPUTS, LEAST_OF_A_RUN_MB = 4.0, 64.0, 4.0, 64.0
"""A run may take so many times what was predicted for it, or so many times its inputs (the first
layers of a detector hold its picture in many channels), or its outputs (the classes of each
pixel), and the last in any case."""

_DTYPES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
_TOKENS = 256


def assert_memory_as_predicted(model: Any, checkpoint: Any, inputs: Inputs, family: str) -> None:
    """The weights take what the checkpoint's files say, a run about what the pool reserves."""
    dtype = _DTYPES.get(dtype_of(model))
    size = checkpoint.estimate().bytes_by_dtype(dtype) if dtype else None
    if size is None:
        raise unittest.SkipTest(f"nothing tells the size of {checkpoint.name} in {dtype_of(model)}")
    predicted = size / MB
    weights = sum(_storages([*model.parameters(), *model.buffers()]).values()) / MB
    slack = predicted * (OF_WEIGHTS - 1) + LEAST_OF_WEIGHTS_MB
    if abs(weights - predicted) > slack:
        raise AssertionError(
            f"the weights take {weights:.1f} MB, {predicted:.1f} MB were predicted"
            f" ({checkpoint.estimate().source}); {slack:.1f} MB more or less are allowed"
        )
    if computed_of(model) is not None:
        return  # a run's memory is the backend's, and none of it is torch's
    expected = _of_a_run(model, checkpoint, predicted, family, dtype)
    given, taken, made = _figures_of_a_run(model, inputs)
    allowed = max(expected * OF_A_RUN, given * OF_INPUTS, made * OF_OUTPUTS, LEAST_OF_A_RUN_MB)
    if taken > allowed:
        raise AssertionError(
            f"a run takes {taken:.1f} MB beside the weights, {expected:.1f} MB were predicted;"
            f" up to {allowed:.1f} MB are allowed"
        )


def peak_of_a_run(model: Any, inputs: Inputs) -> int:
    """The most bytes of tensors that a run had alive at one time, weights and inputs aside."""
    return round(_figures_of_a_run(model, inputs)[1] * MB)


def _figures_of_a_run(model: Any, inputs: Inputs) -> tuple[float, float, float]:
    """Megabytes of what goes in, of what was alive at one time at most, and of what comes out."""
    given = [tensor for _, tensor in named_tensors(dict(inputs))]
    with _Alive([*model.parameters(), *model.buffers(), *given]) as alive:
        outputs = run(model, inputs)
    made = _storages(tensor for _, tensor in named_tensors(outputs))
    return sum(_storages(given).values()) / MB, alive.peak / MB, sum(made.values()) / MB


def _of_a_run(model: Any, checkpoint: Any, weights: float, family: str, dtype: str | None) -> float:
    known = Family(family) if family in list(Family) else None
    kind = device_of(model).type
    backend = Backend(kind) if kind in list(Backend) else Backend.CPU
    cache = checkpoint.cache_shape()
    written = cache_mb(cache, _TOKENS, dtype) if cache is not None else 0.0
    return working_mb(known, weights, backend) + written


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """Bytes by storage: tied and overlapping tensors count once."""
    found = (tensor.untyped_storage() for tensor in tensors)
    return {storage._cdata: storage.nbytes() for storage in found}


class _Alive(TorchDispatchMode):  # type: ignore[misc]
    """Counts the bytes of tensors made meanwhile, as long as somebody holds them."""

    def __init__(self, others: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._others = _storages(others)
        self._holders: dict[int, int] = {}
        self._now = 0
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(each, torch.Tensor) and not any(each is given for given in args):
                self._made(each)
        return result

    def _made(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._others:
            return
        if key not in self._holders:
            self._holders[key] = 0
            self._now += size
            self.peak = max(self.peak, self._now)
        self._holders[key] += 1
        weakref.finalize(tensor, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if not self._holders[key]:
            del self._holders[key]
            self._now -= size
