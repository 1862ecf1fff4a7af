"""`get_stats()`: what the pool did, what it holds, and how the machine is.

Figures of the machine are read when asked for. A part that can't be read is an empty dict;
torch is asked only if it is imported.
"""

import datetime
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from rpgen.hardware.types import Backend, HardwareSnapshot
from rpgen.pool.entry import Entry, Kind
from rpgen.pool.memory import HostFigures
from rpgen.pool.table import Counters
from rpgen.pool.views import entry_stats

MB = 2**20
_COMPONENTS = ("torch", "transformers", "psutil", "accelerate", "openvino", "onnxruntime", "ray")
_PRESSURE_SHARE = 0.9
"""A device with more than this share taken is under pressure."""


def pool_part(entries: list[Entry], counters: Counters, now: float) -> dict[str, Any]:
    """Counts and sizes. Called under the pool's lock."""
    requests = counters.hits + counters.misses
    usage = sum(entry.size.total for entry in entries)
    kinds = [entry.identity.kind for entry in entries]
    devices: dict[str, int] = {}
    for entry in entries:
        for device, size in entry.size.by_device.items():
            devices[device] = devices.get(device, 0) + size
    return {
        "hits": counters.hits,
        "misses": counters.misses,
        "total_requests": requests,
        "hit_ratio": counters.hits / requests if requests else 0.0,
        "memory_usage": usage,
        "memory_usage_mb": usage / MB,
        "cached_resources": kinds.count(Kind.RESOURCE),
        "cached_models": kinds.count(Kind.MODEL),
        "cached_tokenizers": kinds.count(Kind.TOKENIZER),
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "models": {
            entry.key: entry_stats(entry, now)
            for entry in entries
            if entry.identity.kind is Kind.MODEL
        },
        "devices": devices,
        "mapped_bytes": sum(entry.size.mapped for entry in entries),
        "cleanups": {
            "runs": counters.cleanup_runs,
            "removed": counters.removed,
            "freed_mb": counters.freed_mb,
        },
        "evictions": counters.evictions,
        "load_seconds": counters.load_seconds,
        "loads_avoided": counters.loads_avoided,
    }


def system_memory(host: Callable[[], HostFigures], pressed: Callable[[], bool]) -> dict[str, Any]:
    try:
        found = host()
        used = 100 * (1 - found.available_mb / found.total_mb) if found.total_mb else 100.0
        return {
            "total_mb": round(found.total_mb, 1),
            "available_mb": round(found.available_mb, 1),
            "percent_used": round(used, 1),
            "under_pressure": pressed(),
            "limit_source": found.limit_source,
        }
    except (OSError, ImportError):
        return {}


def cpu() -> dict[str, Any]:
    """Use of all cores since this was asked last; the first time, over 50 ms."""
    fresh = "psutil" not in sys.modules
    try:
        import psutil
    except ImportError:
        return {}
    percent = psutil.cpu_percent(interval=0.05 if fresh else None)
    return {"percent": percent, "cores": psutil.cpu_count() or 0}


def cuda_memory() -> dict[str, Any]:
    """The CUDA (or ROCm) devices on which this process has a context already."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if torch is None or cuda is None or not cuda.is_available():
        return {}
    count = cuda.device_count()
    return {
        "device_count": count,
        "devices": [_cuda_device(torch, index) for index in range(count)]
        if cuda.is_initialized()
        else [],
        "cuda_version": torch.version.cuda,
        "rocm_version": getattr(torch.version, "hip", None),
    }


def _cuda_device(torch: Any, index: int) -> dict[str, Any]:
    from rpgen.hardware.memory import device_free_mb

    facts = torch.cuda.get_device_properties(index)
    total = facts.total_memory / MB
    reserved = torch.cuda.memory_reserved(index) / MB
    free = device_free_mb(f"cuda:{index}")
    if free is None:  # the driver doesn't say: what this process has taken is known
        free = total - reserved
    used = 100 * (1 - free / total)
    is_nvidia = getattr(torch.version, "hip", None) is None
    return {
        "id": index,
        "name": facts.name,
        "total_mb": total,
        "allocated_mb": torch.cuda.memory_allocated(index) / MB,
        "reserved_mb": reserved,
        "free_mb": free,
        "percent_used": used,
        "under_pressure": used > 100 * _PRESSURE_SHARE,
        "utilization_percent": _utilization(torch, index),
        "has_tensor_cores": is_nvidia and (facts.major, facts.minor) >= (7, 0),
    }


def _utilization(torch: Any, index: int) -> int | None:
    """By the vendor's library; None where it isn't installed or answers nothing."""
    try:
        return int(torch.cuda.utilization(index))
    except (ImportError, RuntimeError, AttributeError, OSError, ValueError):
        return None


def other_hardware(snapshot: HardwareSnapshot | None) -> dict[str, Any]:
    """What is known of the other backends; nothing is known before a model was placed."""
    backends = (
        Backend.MPS, Backend.OPENVINO, Backend.ONNXRUNTIME, Backend.WEBNN, Backend.WEBGPU,
    )  # fmt: skip
    return {str(backend): _known(snapshot, backend) for backend in backends}


def _known(snapshot: HardwareSnapshot | None, backend: Backend) -> dict[str, Any]:
    if snapshot is None:
        return {}
    report = snapshot.report(backend)
    return {
        "available": report.available,
        "state": str(report.state),
        "reason": report.reason,
        "devices": [device.name for device in report.devices],
    }


def components() -> dict[str, str]:
    """Of each library: its version if it is imported, else whether it is installed."""
    return {name: _component(name) for name in _COMPONENTS}


def _component(name: str) -> str:
    module = sys.modules.get(name)
    if module is not None:
        return str(getattr(module, "__version__", "imported"))
    try:
        return "installed" if importlib.util.find_spec(name) else "not installed"
    except (ImportError, ValueError):
        return "not installed"
