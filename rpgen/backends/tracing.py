"""A flat call recorded by torch, and which sizes of its inputs may change.

A recording keeps whatever was computed from sizes in Python as a constant. So it is run once
more with other sizes, and where that differs from the model itself every size is fixed.
"""

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rpgen.backends.base import BackendError, Sizes, first_line
from rpgen.backends.plainer import plainer_operations
from rpgen.models.quiet import quiet_transformers, seeded

_one_at_a_time = threading.RLock()
"""What recording changes is the whole process's: functions of torch, warnings, random numbers."""


@dataclass(frozen=True)
class Traced:
    """`sizes` has the axes of each input; None is one that may change."""

    module: Any
    sizes: Sizes


def trace(call: Any, inputs: Mapping[str, Any], *, static: bool = False) -> Traced:
    """Record a call with its example. `static`: every size is fixed."""
    with recording():
        module = _recorded(call, inputs)
        for others in () if static else other_sizes(inputs):
            if _agrees(module, call, others):
                return Traced(module, free_sizes(inputs, others))
    return Traced(module, {name: tuple(each.shape) for name, each in inputs.items()})


def _recorded(call: Any, inputs: Mapping[str, Any]) -> Any:
    import torch

    given = tuple(inputs.values())
    try:
        with plainer_operations():
            recorded = torch.jit.trace(call, given, check_trace=False, strict=False)
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        raise BackendError(f"torch can't record this model: {first_line(error)}") from error
    return recorded.eval()


def forget_recordings() -> None:
    """torch keeps the class that each recording has, and with it the graph, for good: some MB
    for every model. Call it when the recordings are no longer used."""
    import torch

    torch._C._jit_clear_class_registry()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
    torch.jit._state._clear_class_state()


@contextmanager
def recording() -> Iterator[None]:
    """One at a time, in silence, without gradients, the random numbers afterwards as before."""
    import torch

    silent = warnings.catch_warnings(action="ignore")
    with (
        _one_at_a_time,
        quiet_transformers(),
        torch.inference_mode(False),
        torch.no_grad(),
        seeded(0),
        silent,
    ):
        yield


def other_sizes(inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The example with other sizes, as many of them as may go together first: batch and all
    lengths of texts, batch and length of what is being written, the batch alone.

    Tokens that stand beside a cache keep their length: the cache is shortened.
    """
    batch = next((len(each) for each in inputs.values() if each.dim() > 1), None)
    if batch is None:
        return
    past = next((t.shape[2] for name, t in inputs.items() if grows(name)), 0)
    written = [name for name in inputs if name.startswith("decoder_") or grows(name)]
    for chosen in (list(inputs), written, []) if written else (list(inputs), []):
        yield {
            name: _other_length(name, turned, past) if name in chosen else turned
            for name, each in inputs.items()
            for turned in [_other_batch(each, batch)]
        }


def free_sizes(inputs: Mapping[str, Any], others: Mapping[str, Any]) -> Sizes:
    """The sizes of the example, None where the other example differs."""
    return {
        name: tuple(
            None if size != other else size
            for size, other in zip(each.shape, others[name].shape, strict=True)
        )
        for name, each in inputs.items()
    }


def grows(name: str) -> bool:
    """The part of a cache that gets longer with every token."""
    return name.startswith("past_key_values.") and ".cross." not in name


def _other_batch(tensor: Any, batch: int) -> Any:
    if tensor.dim() < 2 or len(tensor) != batch:
        return tensor
    return tensor[:1].clone() if batch > 1 else tensor.repeat(2, *[1] * (tensor.dim() - 1))


def _other_length(name: str, tensor: Any, past: int) -> Any:
    if grows(name):
        return tensor[:, :, 1:].clone() if past > 1 else tensor
    if tensor.is_floating_point() or tensor.dim() > 2 or tensor.dim() == 0:
        return tensor
    length = tensor.shape[-1]
    longer_than_the_cache = length > past if past else length > 1
    return tensor[..., :-1].clone() if longer_than_the_cache else tensor


def _agrees(module: Any, call: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether the recording gives for these inputs what the model gives."""
    import torch

    tensors = tuple(inputs.values())
    try:
        expected = call(*tensors)
    except Exception:  # noqa: BLE001  the model itself refuses these sizes, in its own words
        return False
    try:
        found = module(*tensors)
    except RuntimeError:
        return False
    return all(
        one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)
        for one, other in zip(found, expected, strict=True)
    )
