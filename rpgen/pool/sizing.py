"""How many bytes a thing holds, measured. torch is used only where it is imported already.

A model's memory is that of the storages under its parameters and buffers, each counted once:
tied weights share one, a view holds the whole. Quantised tensors are opened up. Weights that
lie in a mapped file are counted like others, and once more by themselves: the process has them
without having taken memory for them.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from rpgen.hardware.process_memory import MB, Mappings, read_process_memory
from rpgen.pool.entry import Size

_DTYPES = {
    "torch.float32": "fp32", "torch.float16": "fp16", "torch.bfloat16": "bf16",
    "torch.float64": "fp64", "torch.int8": "int8", "torch.uint8": "uint8",
    "torch.qint8": "int8", "torch.quint8": "int8",
}  # fmt: skip


def measure(value: Any) -> Size:
    """The memory of any value, and how it was found."""
    modules = torch_modules(value)
    if modules:
        found = _tensors_size(t for module in modules for t in _module_tensors(module))
        found = _with_backend(found, backends_in(value))
        named = getattr(modules[0], "rpgen_precision", None)  # most bytes are not quantised ones
        return replace(found, dtype=named) if named else found
    if isinstance(value, ModuleType):
        return Size(0, "a Python module, not counted")
    held = getattr(value, "held_bytes", None)
    if isinstance(held, int):
        return Size(held, "the memory of its processes", {"cpu": held}, "cpu")
    array_bytes = getattr(value, "nbytes", None)
    if isinstance(array_bytes, int):
        return Size(array_bytes, "array bytes")
    return Size(sys.getsizeof(value), "the object alone, without what it refers to")


def backends_in(value: Any) -> list[Any]:
    """What computes the torch modules in a value in torch's place, if anything does."""
    found = (getattr(module, "rpgen_backend", None) for module in torch_modules(value))
    return [each for each in found if each is not None]


def _with_backend(found: Size, backends: list[Any]) -> Size:
    """With what backends hold that compute the model in torch's place."""
    held = sum(each.held_bytes for each in backends)
    if not held:
        return found
    by_device = {**found.by_device, "cpu": found.by_device.get("cpu", 0) + held}
    method = f"{found.method}, and the backend's copies"
    return replace(found, total=found.total + held, by_device=by_device, method=method)


def torch_modules(value: Any) -> list[Any]:
    """The torch modules in a value: itself, a pipeline's model, or the members of a container."""
    torch = sys.modules.get("torch")
    module_type = getattr(getattr(torch, "nn", None), "Module", None)
    if module_type is None:
        return []
    members: Iterable[Any] = [value]
    if isinstance(value, dict):
        members = value.values()
    elif isinstance(value, (list, tuple)):
        members = value
    found = []
    for member in members:
        inside = member if isinstance(member, module_type) else getattr(member, "model", None)
        if isinstance(inside, module_type):
            found.append(inside)
    return found


def _tensors_size(tensors: Iterable[tuple[Any, Any]]) -> Size:
    storages: dict[tuple[str, Any], int] = {}
    dtypes: dict[str, int] = {}
    for tensor, packed_in in tensors:
        device = device_name(tensor.device)
        if device == "meta":
            continue
        storage = tensor.untyped_storage()
        place = (device, storage.data_ptr() if packed_in is None else packed_in)
        size = storage.nbytes()
        if size and place not in storages:
            dtypes[str(tensor.dtype)] = dtypes.get(str(tensor.dtype), 0) + size
        storages[place] = max(size, storages.get(place, 0))
    by_device: dict[str, int] = {}
    for (device, _), size in storages.items():
        by_device[device] = by_device.get(device, 0) + size
    on_host = {place: size for (device, place), size in storages.items() if device == "cpu"}
    told = [name for name in dtypes if name != "torch.bool"] or list(dtypes)  # a mask is no weight
    dtype = max(told, key=lambda name: dtypes[name], default=None)
    return Size(
        total=sum(by_device.values()),
        method="storages of parameters and buffers",
        by_device=by_device,
        device=max(by_device, key=lambda name: by_device[name], default=None),
        dtype=_DTYPES.get(dtype, dtype.removeprefix("torch.")) if dtype else None,
        mapped=_mapped(on_host),
    )


def _mapped(storages: Mapping[Any, int]) -> int:
    """The bytes of those storages, by address, that lie in a mapped file."""
    if not storages:
        return 0
    mappings = Mappings.read()
    return sum(
        size
        for address, size in storages.items()
        if isinstance(address, int) and mappings.holds(address)
    )


def _module_tensors(module: Any) -> Iterator[tuple[Any, Any]]:
    """Each tensor with None; one unpacked for the occasion with the place it is packed in: its
    own storage is a copy that is gone, and its address free, before the next one comes."""
    for tensor in (*module.parameters(), *module.buffers()):
        yield from ((inner, None) for inner in _opened(tensor))
    for part in module.modules():
        yield from ((tensor, (id(part), number)) for number, tensor in enumerate(_packed(part)))


def _opened(tensor: Any) -> Iterator[Any]:
    """The plain tensors inside: of a wrapper subclass, and beside a bitsandbytes parameter."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is not None:
        for name in flatten()[0]:
            yield from _opened(getattr(tensor, name))
        return
    yield tensor
    beside = [getattr(tensor, "SCB", None)]
    state = getattr(tensor, "quant_state", None)
    beside += [getattr(state, name, None) for name in ("absmax", "code", "offset")]
    for other in beside:
        if hasattr(other, "untyped_storage"):
            yield other


def _packed(module: Any) -> Iterator[Any]:
    """Weights that torch's own quantised layers keep in a packed object, not a parameter."""
    inside = {**vars(module), **vars(module).get("_modules", {})}
    packed = inside.get("_packed_params")
    unpack = getattr(packed, "_weight_bias", None)
    if unpack is not None:
        yield from (tensor for tensor in unpack() if tensor is not None)


def device_taken_mb(device: str) -> float | None:
    """What this process has taken on a device by the device's own count: torch's allocator on
    an accelerator (0 before its first use), the process's own pages on the host."""
    kind, _, index = device.partition(":")
    if kind == "cpu":
        found = read_process_memory()
        return found.own_mb if found else None
    runtime = getattr(sys.modules.get("torch"), kind, None)
    if kind not in ("cuda", "xpu") or runtime is None:
        return None
    return runtime.memory_allocated(int(index or 0)) / MB if runtime.is_initialized() else 0.0


def device_name(device: Any) -> str:
    """The same word for the same device: torch's "cuda" is "cuda:0"."""
    name = str(device)
    return f"{name}:0" if name in ("cuda", "xpu") else name
