"""What a test must leave as it was: torch's global switches and the state of a shared model.

Values are taken before and after and compared purely; `restore` puts back what can be put
back. Whether a tensor was written to is told by its version, which torch counts, and by a few
of its values, since what is written through `.data` isn't counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
)


@dataclass(frozen=True)
class Switch:
    """One of torch's global settings: how it is read and set."""

    read: Callable[[], Any]
    write: Callable[[Any], object]


def _sdp(name: str) -> Switch:
    cuda = torch.backends.cuda
    return Switch(getattr(cuda, f"{name}_sdp_enabled"), getattr(cuda, f"enable_{name}_sdp"))


def _flag(owner: Any, name: str) -> Switch:
    return Switch(lambda: getattr(owner, name), lambda value: setattr(owner, name, value))


SWITCHES: dict[str, Switch] = {
    "gradients": Switch(torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": Switch(torch.get_default_dtype, torch.set_default_dtype),
    "default device": Switch(torch.get_default_device, lambda value: _set_default_device(value)),
    "deterministic algorithms": Switch(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
    ),
    "float32 matmul precision": Switch(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    ),
    "anomaly detection": Switch(
        torch.is_anomaly_enabled, lambda value: torch.autograd.set_detect_anomaly(value)
    ),
    "threads": Switch(torch.get_num_threads, torch.set_num_threads),
    "cudnn.benchmark": _flag(torch.backends.cudnn, "benchmark"),
    "cudnn.deterministic": _flag(torch.backends.cudnn, "deterministic"),
    "cudnn.enabled": _flag(torch.backends.cudnn, "enabled"),
    "flash attention": _sdp("flash"),
    "memory-efficient attention": _sdp("mem_efficient"),
    "plain attention": _sdp("math"),
}


def _set_default_device(device: torch.device) -> None:
    """None, not "cpu", is how torch starts: a set device slows every creation of a tensor."""
    torch.set_default_device(None if device.type == "cpu" else device)


def switches_now() -> dict[str, Any]:
    return {name: switch.read() for name, switch in SWITCHES.items()}


def restore_switches(before: Mapping[str, Any]) -> list[str]:
    """Set back what differs from `before`; says what did, in words."""
    changed = differing(before, switches_now())
    for name in changed:
        SWITCHES[name].write(before[name])
    return [f"torch's {name}: {was} became {now}" for name, (was, now) in changed.items()]


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name to (before, after) of every value that is not the same."""
    return {
        name: (before.get(name), after.get(name))
        for name in [*before, *(name for name in after if name not in before)]
        if before.get(name) != after.get(name)
    }


TensorState = tuple[str, str, tuple[int, ...], int, bytes]
_VALUES = 8


@dataclass(frozen=True)
class ModelState:
    """A model's state by the names of its modules and tensors."""

    training: Mapping[str, bool]
    hooks: Mapping[str, int]
    requires_grad: Mapping[str, bool]
    tensors: Mapping[str, TensorState] = field(repr=False)
    """Of each parameter and saved buffer: dtype, device, shape, version, some values."""

    @property
    def devices(self) -> set[str]:
        return {identity[1] for identity in self.tensors.values()}

    @classmethod
    def of(cls, model: torch.nn.Module) -> "ModelState":
        modules = dict(model.named_modules())
        return cls(
            {name: module.training for name, module in modules.items()},
            {name: _hooks(module) for name, module in modules.items()},
            {name: tensor.requires_grad for name, tensor in model.named_parameters()},
            {name: _identity(tensor) for name, tensor in _tensors(model)},
        )


@dataclass(frozen=True)
class Change:
    """What happened to a model: in words, and whether setting flags undoes it."""

    what: str
    undone_by_flags: bool


def changes(before: ModelState, after: ModelState) -> list[Change]:
    """What differs, a line for each kind. Pure."""
    found = [
        *_flags("training mode", before.training, after.training),
        *_flags("requires_grad", before.requires_grad, after.requires_grad),
    ]
    hooks = differing(before.hooks, after.hooks)
    if hooks:
        found.append(Change(f"hooks on {_first(list(hooks))}", False))
    tensors = differing(before.tensors, after.tensors)
    for kind, place in (("dtype", 0), ("device", 1), ("shape", 2)):
        named = [n for n, (was, now) in tensors.items() if was and now and was[place] != now[place]]
        if named:
            found.append(Change(f"{kind} of {_first(named)}", False))
    gone = [name for name, pair in tensors.items() if None in pair]
    if gone:
        found.append(Change(f"tensors added or removed: {_first(gone)}", False))
    written = [n for n, (was, now) in tensors.items() if was and now and was[:3] == now[:3]]
    if written:
        found.append(Change(f"values written to {_first(written)}", False))
    return found


def restore_flags(model: torch.nn.Module, before: ModelState) -> None:
    """Training mode and requires_grad as they were."""
    for name, module in model.named_modules():
        module.training = before.training.get(name, module.training)
    for name, tensor in model.named_parameters():
        tensor.requires_grad_(before.requires_grad.get(name, tensor.requires_grad))


def _flags(what: str, before: Mapping[str, bool], after: Mapping[str, bool]) -> list[Change]:
    changed = [n for n in differing(before, after) if n in before and n in after]
    if not changed:
        return []
    label = "the model" if changed[0] == "" else changed[0]
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return [Change(f"{what} of {label}{more}", True)]


def _hooks(module: torch.nn.Module) -> int:
    """Hooks that somebody set; transformers sets its own the first time it is asked for states."""
    hooks = [hook for name in _HOOKS for hook in (getattr(module, name, None) or {}).values()]
    return sum(not _is_of_a_library(hook) for hook in hooks)


def _is_of_a_library(hook: Any) -> bool:
    function = getattr(hook, "func", hook)
    return str(getattr(function, "__module__", "")).startswith(("transformers.", "accelerate."))


def _identity(tensor: torch.Tensor) -> TensorState:
    version = 0 if tensor.is_inference() else tensor._version
    shape = tuple(tensor.shape)
    return str(tensor.dtype), str(tensor.device), shape, version, _some_values(tensor)


def _some_values(tensor: torch.Tensor) -> bytes:
    if tensor.device.type == "meta" or not tensor.numel():
        return b""
    step = max(1, tensor.numel() // _VALUES)
    some = tensor.detach().reshape(-1)[::step][: _VALUES + 1]
    return bytes(some.cpu().double().numpy().tobytes())


def _tensors(model: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """What is saved with the model. Other buffers are tables that a run may make longer."""
    buffers = [
        (f"{name}.{each}", tensor)
        for name, module in model.named_modules()
        for each, tensor in module.named_buffers(recurse=False)
        if each not in module._non_persistent_buffers_set
    ]
    return [*model.named_parameters(), *buffers]


def _first(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (names[0] or "the model") + more
