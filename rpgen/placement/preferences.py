"""What somebody asks for: the guide's `hardware_preferences` read into values, never run.

They come from a caller's dictionary and from `TEST_HARDWARE_PREFERENCES`, which the guide's
runner writes with `str()`: a Python literal, so JSON and literals are both read. The
environment's keys win over the caller's.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.errors import UsageError
from rpgen.families import Family, Subfamily
from rpgen.hardware.types import Backend
from rpgen.placement.targets import Target, backend_named, parse_target

ENVIRONMENT = "TEST_HARDWARE_PREFERENCES"
REQUIRE = "RPGEN_REQUIRE_DEVICE"
"""In the environment: what would be skipped because a device is missing fails instead."""

QUANTISED = ("int8", "int4")
PRECISIONS = ("fp32", "fp16", "bf16", *QUANTISED)
_SPELLINGS = {
    "float32": "fp32", "float": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16",
    "8bit": "int8", "4bit": "int4",
}  # fmt: skip
_DEVICE = re.compile(r"([a-z]+)(?::(\d{1,3}|[A-Za-z]\w*))?")
_LONGEST = 20_000


@dataclass(frozen=True)
class Request:
    """A device somebody names: a backend, and which one of its devices if they care."""

    backend: Backend
    index: int | None = None

    def __str__(self) -> str:
        return self.backend if self.index is None else f"{self.backend}:{self.index}"


@dataclass(frozen=True)
class Compatibility:
    """What the caller knows of a backend. `peak_mb` replaces our own estimate there."""

    compatible: bool = True
    reason: str = ""
    peak_mb: float | None = None


@dataclass(frozen=True)
class Preferences:
    """`hardware_preferences` as values; each default means that nothing was asked for.

    The `allow_*` are ours: what may be done with a model that fits nowhere as it is. So is
    `target`: a backend named as the device, which computes a model that lies on the CPU.
    """

    device: Request | None = None
    force_device: bool = False
    priority: tuple[Request, ...] | None = None
    preferred_index: int | None = None
    compatible_devices: tuple[Request, ...] | None = None
    compatibility: Mapping[Backend, Compatibility] = field(default_factory=dict)
    force_low_memory: bool = False
    precision: str | None = None
    mixed_precision: bool = False
    family: Family | None = None
    subfamily: Subfamily | None = None
    browser: str | None = None
    allow_split: bool = False
    allow_disk: bool = False
    allow_quantization: bool = False
    target: Target | None = None


def parse(preferences: Mapping[str, Any] | None) -> Preferences:
    """The dictionary as values. UsageError says which key can't be understood, and why.

    Keys that aren't the guide's are left alone: old scripts carry their own along.
    """
    if preferences is None:
        return Preferences()
    if not isinstance(preferences, Mapping):
        raise UsageError(f"hardware_preferences must be a dictionary, not {preferences!r:.60}")
    readers = (
        (key, reader) for key, reader in _READERS.items() if preferences.get(key) is not None
    )
    values = {_FIELDS.get(key, key): reader(key, preferences[key]) for key, reader in readers}
    if isinstance(values.get("device"), Target):
        values = _on_a_backend(values)
    return Preferences(**values)


def _on_a_backend(values: dict[str, Any]) -> dict[str, Any]:
    """The torch model lies on the CPU in fp32, whatever else may take a model."""
    target = values["device"]
    if values.get("precision") not in (None, "fp32"):
        raise UsageError(f"{target} computes in fp32: leave precision {values['precision']} out")
    return {**values, "device": Request(Backend.CPU), "target": target, "compatible_devices": None}


def from_text(text: str) -> dict[str, Any]:
    """A dictionary written as JSON or as a Python literal. UsageError where it is neither."""
    if len(text) > _LONGEST:
        raise UsageError(
            f"{ENVIRONMENT} is {len(text)} characters long; leave it out or shorten it"
        )
    try:
        value = json.loads(text)
    except ValueError:
        value = _literal(text)
    except RecursionError as error:
        raise UsageError(f"{ENVIRONMENT} is nested too deeply to be read") from error
    if not isinstance(value, dict):
        raise UsageError(f"{ENVIRONMENT} must be a dictionary, not {text!r:.60}")
    return value


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise UsageError(
            f"{ENVIRONMENT} is neither JSON nor a Python literal, unset it or mend it: {text!r:.60}"
        ) from error


def merged(callers: Mapping[str, Any] | None, text: str | None) -> Preferences:
    """The caller's preferences with the environment's over them."""
    if not text or not text.strip():
        return parse(callers)
    return parse({**(callers or {}), **from_text(text)})


def parse_device(text: Any, key: str = "device") -> Request | None:
    """`auto` is None; anything else is a backend with an optional index."""
    match = _DEVICE.fullmatch(str(text).strip())
    name = match[1] if match else ""
    name = {"gpu": "cuda", "hip": "rocm"}.get(name, name)
    if name == "auto" and match and match[2] is None:
        return None
    if not match or name not in list(Backend):
        words = ", ".join(["auto", *Backend])
        raise UsageError(f"{key}: {str(text)!r:.60} is no device; say one of {words} (cuda:1 too)")
    number = match[2]
    if number and not number.isdigit() and parse_target(match[0]) is None:
        raise UsageError(f"{key}: {name} has no device {number!r:.60}; number them, as in cuda:1")
    return Request(Backend(name), int(number) if number and number.isdigit() else None)


def _device(key: str, value: Any) -> Request | Target | None:
    """A device of torch, or a backend of its own."""
    return backend_named(str(value)) or parse_device(value, key)


def _device_list(key: str, value: Any) -> tuple[Request, ...]:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple, set, frozenset)):
        raise UsageError(f"{key} must be a list of devices, not {value!r:.60}")
    found = (parse_device(entry, key) for entry in entries)
    return tuple(dict.fromkeys(request for request in found if request is not None))


def _index(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{key} must be the number of a device, 0 or more, not {value!r:.60}")
    return value


def _flag(key: str, value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "1", "0"):
        return value.strip().lower() in ("true", "1")
    if isinstance(value, (bool, int)):
        return bool(value)
    raise UsageError(f"{key} must be true or false, not {value!r:.60}")


def _precision(key: str, value: Any) -> str:
    word = _SPELLINGS.get(str(value).removeprefix("torch."), str(value))
    if word not in PRECISIONS:
        raise UsageError(f"{key} {value!r:.60} is not known; say one of {', '.join(PRECISIONS)}")
    return word


def _compatibility(key: str, value: Any) -> dict[Backend, Compatibility]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{key} must be a dictionary by backend, not {value!r:.60}")
    return {
        Backend(name): _one_compatibility(f"{key}.{name}", said)
        for name, said in value.items()
        if name in list(Backend)
    }


def _one_compatibility(key: str, said: Any) -> Compatibility:
    if isinstance(said, bool):
        return Compatibility(compatible=said)
    if not isinstance(said, Mapping):
        raise UsageError(f"{key} must be a dictionary, not {said!r:.60}")
    usage = said.get("memory_usage")
    peak = usage.get("peak") if isinstance(usage, Mapping) else None
    if peak is not None and (isinstance(peak, bool) or not isinstance(peak, (int, float))):
        raise UsageError(f"{key}.memory_usage.peak must be a number of MB, not {peak!r:.60}")
    return Compatibility(
        compatible=_flag(f"{key}.compatible", said.get("compatible", True)),
        reason=str(said.get("reason") or ""),
        peak_mb=float(peak) if peak else None,
    )


def _family(_key: str, value: Any) -> Family | None:
    """An unknown family is no family: names outside the five are the caller's own."""
    return Family(value) if value in list(Family) else None


def _subfamily(_key: str, value: Any) -> Subfamily | None:
    return Subfamily(value) if value in list(Subfamily) else None


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "device": _device,
    "force_device": _flag,
    "priority_list": _device_list,
    "preferred_index": _index,
    "compatible_devices": _device_list,
    "hw_compatibility": _compatibility,
    "force_low_memory": _flag,
    "precision": _precision,
    "mixed_precision": _flag,
    "model_family": _family,
    "subfamily": _subfamily,
    "browser": lambda key, value: str(value),
    "allow_split": _flag,
    "allow_disk": _flag,
    "allow_quantization": _flag,
}
_FIELDS = {
    "priority_list": "priority",
    "hw_compatibility": "compatibility",
    "model_family": "family",
}
