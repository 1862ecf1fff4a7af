"""torch itself, on any of its devices: eager, or through torch.compile.

Models are placed on torch's devices by the pool; eager torch is here so that it keeps the same
contract as the others, which are compared with it.
"""

import copy
import functools
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rpgen.backends.base import (
    BackendError,
    Description,
    Evidence,
    FallbackError,
    ModelIdentity,
    Prepared,
    Sizes,
    Target,
    first_line,
)
from rpgen.backends.compiled import (
    convolutions_in_f32,
    inductor,
    precision_of,
    prepare_compiled,
)
from rpgen.backends.prepared import PreparedModel

_TORCHS_NAMES = {"rocm": "cuda"}


class TorchBackend:
    name = "torch"

    def probe(self, target: Target) -> Evidence:
        return _other_build(target) or _probe(device_of(target))

    def prepare(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> Prepared:
        import torch

        if other := _other_build(target):
            raise FallbackError(other.reason)
        device, began = device_of(target), time.perf_counter()
        if target.compiled:
            return prepare_compiled(_on(model, device), inputs, device, inductor())
        described = Description(
            computed_by=f"torch {torch.__version__}, eager",
            device=device,
            precision=precision_of(model, device),
            nodes={"torch": sum(1 for _ in model.model.modules())},
        )
        moved = _on(model, device)
        return _Eager(described, moved, device, time.perf_counter() - began)


class _Eager(PreparedModel):
    def __init__(self, described: Description, call: Any, device: str, seconds: float) -> None:
        super().__init__(replace(described, prepare_seconds=seconds), _any_sizes(call))
        self._call: Any = call
        self._device = device

    def _compute(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        import torch

        given = [inputs[name].to(self._device) for name in self._call.input_names]
        with torch.inference_mode(), convolutions_in_f32():
            found = self._call(*given)
        names = self._call.output_names
        return {name: each.cpu() for name, each in zip(names, found, strict=True)}

    def _free(self) -> None:
        self._call = None


def _any_sizes(call: Any) -> Sizes:
    """Eager torch takes what the model takes."""
    return {name: (None,) * rank for name, rank in call.input_ranks.items()}


def device_of(target: Target) -> str:
    """torch's own name for it."""
    name = _TORCHS_NAMES.get(target.backend, target.backend)
    return name if target.device is None else f"{name}:{target.device}"


def _on(call: Any, device: str) -> Any:
    """The call itself on the CPU, elsewhere a copy of it: the caller's model stays in its place."""
    return call if device == "cpu" else copy.deepcopy(call).to(device)


def _other_build(target: Target) -> Evidence | None:
    """torch calls AMD's GPUs cuda, too: which of the two it means is a matter of its build."""
    import torch

    built_for = "rocm" if torch.version.hip else "cuda" if torch.version.cuda else None
    if target.backend not in ("cuda", "rocm") or built_for in (None, target.backend):
        return None
    return Evidence(
        False,
        f"this torch {torch.__version__} is built for {built_for}, not for {target.backend}",
        f"ask for {built_for}, or install a torch that is built for {target.backend}",
    )


@functools.cache
def _probe(device: str) -> Evidence:
    """Does a sum come out right there?"""
    import torch

    remedy = f"install a torch that is built for {device.partition(':')[0]}, and its driver"
    try:
        value = torch.tensor([1.0, 2.5], device=device)
        if (value + value).tolist() != [2.0, 5.0]:
            raise BackendError("1 + 1 and 2.5 + 2.5 come out wrong")
    except (RuntimeError, AssertionError, NotImplementedError, BackendError) as error:
        return Evidence(False, f"torch can't use {device}: {first_line(error)}", remedy)
    return Evidence(True, f"torch {torch.__version__} added two numbers on {device}")
