"""A snapshot as the dictionary that scripts written for the guide expect.

Old scripts read MB in some places and GB in others; the units here are theirs. Fields that
are new carry their unit in their name.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rpgen.hardware.memory import host_memory
from rpgen.hardware.types import Backend, BackendReport, Device, HardwareSnapshot, State

GB_OF_MB = 1 / 1024


def availability(snapshot: HardwareSnapshot) -> dict[str, bool]:
    """Every backend and whether it can be used here; software adapters are not."""
    return {str(backend): snapshot.report(backend).available for backend in Backend}


def errors(snapshot: HardwareSnapshot) -> dict[str, str]:
    """What is here and can't be used, with what to do about it."""
    return {
        str(backend): f"{report.reason}; {report.remedy}" if report.remedy else report.reason
        for backend, report in snapshot.backends.items()
        if report.state is State.UNUSABLE
    }


def details(snapshot: HardwareSnapshot) -> dict[str, dict[str, Any]]:
    """A dictionary for each backend; one that is not available says why under `reason`."""
    return {
        str(backend): _SPECIAL.get(backend, _plain)(snapshot.report(backend)) for backend in Backend
    }


def system(snapshot: HardwareSnapshot) -> dict[str, Any]:
    """The machine: its memory of this moment, in GB where the name has no unit."""
    memory = host_memory()
    return {
        "platform": snapshot.host.system,
        "os": snapshot.host.system,
        "os_version": snapshot.os_version,
        "python_version": snapshot.python_version,
        "cpu_count": snapshot.cpu_count,
        "architecture": snapshot.host.machine,
        "available_memory": memory.available_mb * GB_OF_MB,
        "available_memory_mb": memory.available_mb,
        "total_memory_mb": memory.total_mb,
        "memory_limit_source": memory.limit_source,
    }


def _verdict(report: BackendReport) -> dict[str, Any]:
    said = {"state": str(report.state)}
    if report.reason:
        said |= {"reason": report.reason, "remedy": report.remedy}
    return said


def _plain(report: BackendReport) -> dict[str, Any]:
    found = _verdict(report) | dict(report.facts)
    if report.devices:
        found |= {
            "device_count": len(report.devices),
            "devices": [_device(device) for device in report.devices],
        }
    return found


def _device(device: Device) -> dict[str, Any]:
    total = None if device.total_mb is None else device.total_mb * GB_OF_MB
    return {"name": device.name, "total_memory": total, "dtypes": list(device.dtypes)}


def _openvino(report: BackendReport) -> dict[str, Any]:
    """The guide's scripts take `devices` for the names that OpenVINO gives them."""
    found = _verdict(report) | dict(report.facts)
    if report.devices:
        found["device_names"] = {
            device.facts.get("openvino_device", device.name): device.name
            for device in report.devices
        }
    return found


def _cpu(report: BackendReport) -> dict[str, Any]:
    facts = report.facts
    has: Mapping[str, bool] = facts.get("instructions") or {}
    memory = host_memory()
    return {
        "architecture": facts.get("architecture"),
        "processor": facts.get("processor"),
        "cores": facts.get("cores"),
        "sse_support": has.get("sse", False),
        "avx_support": has.get("avx", False),
        "avx2_support": has.get("avx2", False),
        "avx512": has.get("avx512", False),
        "amx": has.get("amx", False),
        "neon": has.get("neon", False),
        "sve": has.get("sve", False),
        "memory": {"total": memory.total_mb, "available": memory.available_mb, "unit": "MB"},
        "cpu_quota": facts.get("cpu_quota"),
    }


def _cuda(report: BackendReport) -> dict[str, Any]:
    """`device_count` is there, as 0, also where nothing is: the guide's scripts read it."""
    usable = report.devices if report.available else ()
    return _verdict(report) | {
        "device_count": len(usable),
        "current_device": 0 if usable else None,
        "devices": [_device(device) | _capability(device) for device in usable],
        "unusable_devices": [] if report.available else [_device(d) for d in report.devices],
        "cuda_version": report.facts.get("cuda_version"),
        "cudnn_version": report.facts.get("cudnn_version"),
        "driver_version": report.facts.get("driver_version"),
    }


def _capability(device: Device) -> dict[str, Any]:
    major, minor = device.capability or (None, None)
    return {
        "capability": device.capability,
        "compute_capability_major": major,
        "compute_capability_minor": minor,
        "has_tensor_cores": device.has_tensor_cores,
    }


_SPECIAL: dict[Backend, Callable[[BackendReport], dict[str, Any]]] = {
    Backend.CPU: _cpu,
    Backend.CUDA: _cuda,
    Backend.OPENVINO: _openvino,
}
