"""Snapshots as JSON values and back.

Reading is strict: whatever is missing, of another type or out of its range raises
`ValueError`, so that a torn or foreign file is never half believed.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    Evidence,
    HardwareSnapshot,
    HostIdentity,
    State,
    Step,
)

T = TypeVar("T")


def to_dict(snapshot: HardwareSnapshot) -> dict[str, Any]:
    """The snapshot in JSON values; `from_dict` makes an equal one of them."""
    return {
        "host": identity_to_dict(snapshot.host),
        "cpu_count": snapshot.cpu_count,
        "memory_total_mb": snapshot.memory_total_mb,
        "memory_limit_mb": snapshot.memory_limit_mb,
        "os_version": snapshot.os_version,
        "python_version": snapshot.python_version,
        "backends": {str(name): _report(report) for name, report in snapshot.backends.items()},
    }


def identity_to_dict(host: HostIdentity) -> dict[str, Any]:
    return {
        "name": host.name,
        "system": host.system,
        "machine": host.machine,
        "drivers": dict(host.drivers),
        "libraries": dict(host.libraries),
        "visible_devices": dict(host.visible_devices),
    }


def _report(report: BackendReport) -> dict[str, Any]:
    return {
        "state": str(report.state),
        "reason": report.reason,
        "remedy": report.remedy,
        "evidence": [
            {"step": str(seen.step), "found": seen.found, "detail": seen.detail}
            for seen in report.evidence
        ],
        "devices": [_device(device) for device in report.devices],
        "facts": _plain(report.facts),
    }


def _device(device: Device) -> dict[str, Any]:
    return {
        "index": device.index,
        "name": device.name,
        "torch_device": device.torch_device,
        "total_mb": device.total_mb,
        "unified": device.unified,
        "capability": list(device.capability) if device.capability else None,
        "dtypes": list(device.dtypes),
        "facts": _plain(device.facts),
    }


def _plain(value: Any) -> Any:
    """Facts as JSON has them: tuples become lists, keys strings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def from_dict(data: Any) -> HardwareSnapshot:
    """The snapshot that `to_dict` wrote; ValueError for anything else."""
    read = _Reader(data, "snapshot")
    backends = read.mapping("backends")
    return HardwareSnapshot(
        host=identity_from_dict(read.value("host")),
        backends={
            (backend := Backend(name)): _read_report(backend, report)
            for name, report in backends.items()
        },
        cpu_count=read.whole("cpu_count", least=1),
        memory_total_mb=read.amount("memory_total_mb"),
        memory_limit_mb=read.amount_or_none("memory_limit_mb"),
        os_version=read.text("os_version"),
        python_version=read.text("python_version"),
    )


def identity_from_dict(data: Any) -> HostIdentity:
    read = _Reader(data, "host")
    return HostIdentity(
        name=read.text("name"),
        system=read.text("system"),
        machine=read.text("machine"),
        drivers=read.texts("drivers"),
        libraries=read.texts("libraries"),
        visible_devices=read.texts("visible_devices"),
    )


def _read_report(backend: Backend, data: Any) -> BackendReport:
    read = _Reader(data, str(backend))
    return BackendReport(
        backend,
        State(read.text("state")),
        evidence=read.each("evidence", _read_evidence),
        devices=read.each("devices", lambda device: _read_device(backend, device)),
        reason=read.text("reason"),
        remedy=read.text("remedy"),
        facts=read.mapping("facts"),
    )


def _read_evidence(data: Any) -> Evidence:
    read = _Reader(data, "evidence")
    found = read.value("found")
    if found is not None and not isinstance(found, bool):
        raise ValueError("evidence: found is neither true, false nor null")
    return Evidence(Step(read.text("step")), found, read.text("detail"))


def _read_device(backend: Backend, data: Any) -> Device:
    read = _Reader(data, f"device of {backend}")
    torch_device = read.value("torch_device")
    return Device(
        backend,
        index=read.whole("index", least=0),
        name=read.text("name"),
        torch_device=None if torch_device is None else read.text("torch_device"),
        total_mb=read.amount_or_none("total_mb"),
        unified=read.truth("unified"),
        capability=read.version("capability"),
        dtypes=read.each("dtypes", _text),
        facts=read.mapping("facts"),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    return value


class _Reader:
    """Typed access to the fields of a JSON object."""

    def __init__(self, data: Any, what: str) -> None:
        if not isinstance(data, dict):
            raise ValueError(f"{what} is not an object")
        self._data, self._what = data, what

    def value(self, name: str) -> Any:
        if name not in self._data:
            raise ValueError(f"{self._what}: no {name}")
        return self._data[name]

    def _typed(self, name: str, kind: type, words: str) -> Any:
        value = self.value(name)
        if not isinstance(value, kind):
            raise ValueError(f"{self._what}: {name} is not {words}")
        return value

    def text(self, name: str) -> str:
        return str(self._typed(name, str, "a string"))

    def truth(self, name: str) -> bool:
        return bool(self._typed(name, bool, "true or false"))

    def mapping(self, name: str) -> dict[str, Any]:
        return dict(self._typed(name, dict, "an object"))

    def texts(self, name: str) -> dict[str, str]:
        return {key: _text(value) for key, value in self.mapping(name).items()}

    def each(self, name: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        return tuple(read(item) for item in self._typed(name, list, "a list"))

    def whole(self, name: str, least: int) -> int:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{self._what}: {name} is not a whole number from {least} on")
        return value

    def amount(self, name: str) -> float:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{self._what}: {name} is not a number")
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{self._what}: {name} is negative or not finite")
        return float(value)

    def amount_or_none(self, name: str) -> float | None:
        return None if self.value(name) is None else self.amount(name)

    def version(self, name: str) -> tuple[int, int] | None:
        value = self.value(name)
        if value is None:
            return None
        match value:
            case [int(major), int(minor)]:
                return major, minor
        raise ValueError(f"{self._what}: {name} is not a pair of whole numbers")
