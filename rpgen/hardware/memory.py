"""How much memory there is now: of the host, under its limits, and on a device.

Figures of the moment, never cached. Files come from `root`, so that a test builds its own
`/proc` and `/sys/fs/cgroup`.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpgen.hardware.cgroup import MB, memory_groups, pressure_files

PRESSURE_PERCENT = 10.0
"""Under pressure from here on: the share of the last ten seconds in which a task waited."""
LOW_SHARE = 0.2
"""Without the kernel's own figure: under pressure below this share of the total (the guide)."""

_FIELD = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)
_SOME = re.compile(r"^some avg10=(\d+(?:\.\d+)?)", re.MULTILINE)


@dataclass(frozen=True)
class HostMemory:
    """What this process may have. `limit_source` says which figure made `available_mb`.

    `total_mb` is the smaller of the machine's memory (`kernel_total_mb`) and the smallest
    limit over this process (`limit_mb`, None without one).
    """

    total_mb: float
    available_mb: float
    limit_source: str  # "kernel", "cgroup v2" or "cgroup v1"
    kernel_total_mb: float
    kernel_available_mb: float
    limit_mb: float | None = None

    @property
    def percent_used(self) -> float:
        return 100 * (1 - self.available_mb / self.total_mb) if self.total_mb else 100.0


@dataclass(frozen=True)
class Pressure:
    """Whether memory is short. `some_percent` is None where the kernel doesn't tell."""

    under_pressure: bool
    source: str  # "PSI", "PSI of the cgroup" or "available share"
    some_percent: float | None
    available_share: float


def host_memory(root: Path = Path("/")) -> HostMemory:
    """The host's memory: the kernel's figures, lowered by the limits over this process."""
    total, available = _meminfo(root) or _psutil_memory()
    limit: float | None = None
    source, left = "kernel", available
    for group in memory_groups(root):
        limit = min(limit or group.limit / MB, group.limit / MB)
        if group.left / MB < left:
            source, left = f"cgroup v{group.version}", group.left / MB
    return HostMemory(
        total_mb=min(total, limit or total),
        available_mb=left,
        limit_source=source,
        kernel_total_mb=total,
        kernel_available_mb=available,
        limit_mb=limit,
    )


def _meminfo(root: Path) -> tuple[float, float] | None:
    """(total, available) in MB from `/proc/meminfo`; None where there is none."""
    try:
        text = (root / "proc/meminfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = {name: int(kilobytes) / 1024 for name, kilobytes in _FIELD.findall(text)}
    total, available = fields.get("MemTotal"), fields.get("MemAvailable")
    if available is None and "MemFree" in fields:
        available = fields["MemFree"] + fields.get("Cached", 0) + fields.get("Buffers", 0)
    return None if total is None or available is None else (total, min(available, total))


def _psutil_memory() -> tuple[float, float]:
    import psutil

    memory = psutil.virtual_memory()
    return memory.total / MB, memory.available / MB


def pressure(root: Path = Path("/"), memory: HostMemory | None = None) -> Pressure:
    """Whether the host is short of memory, by the kernel's stall figures where it has them."""
    memory = memory or host_memory(root)
    share = memory.available_mb / memory.total_mb if memory.total_mb else 0.0
    found = [
        (path, percent) for path in pressure_files(root) if (percent := _stalled(path)) is not None
    ]
    if not found:
        return Pressure(share < LOW_SHARE, "available share", None, share)
    path, percent = max(found, key=lambda pair: pair[1])
    source = "PSI" if path == root / "proc/pressure/memory" else "PSI of the cgroup"
    return Pressure(percent >= PRESSURE_PERCENT, source, percent, share)


def _stalled(path: Path) -> float | None:
    """The share of time in percent in which at least one task waited for memory."""
    try:
        match = _SOME.search(path.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None
    return float(match[1]) if match else None


def device_free_mb(device: str, *, create_context: bool = False) -> float | None:
    """Free memory of a torch device as its driver counts it; None where that isn't known.

    Never imports torch. Asking CUDA makes a context on the device (hundreds of MB), so it is
    asked only where one exists, or with `create_context`. Memory that torch's allocator holds
    in reserve counts as taken.
    """
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return host_memory().available_mb
    torch = sys.modules.get("torch")
    if torch is None or (number and not number.isdigit()):
        return None
    try:
        return _driver_free_mb(torch, kind, int(number) if number else None, create_context)
    except (RuntimeError, AssertionError, AttributeError, ValueError):
        return None  # no such device, a build without it, or a driver that answers nothing


def _driver_free_mb(torch: Any, kind: str, index: int | None, create_context: bool) -> float | None:
    if kind == "mps":
        if not torch.backends.mps.is_available():
            return None
        taken = torch.mps.driver_allocated_memory()
        left = float(torch.mps.recommended_max_memory() - taken) / MB
        return min(left, host_memory().available_mb)  # one memory for both
    if kind not in ("cuda", "xpu"):
        return None
    runtime = getattr(torch, kind)
    if not create_context and not _has_context(torch, kind, index):
        return None
    free, _total = runtime.mem_get_info(runtime.current_device() if index is None else index)
    return float(free) / MB


def _has_context(torch: Any, kind: str, index: int | None) -> bool:
    """Whether this process already holds a context on the device."""
    runtime = getattr(torch, kind)
    if not runtime.is_initialized():
        return False
    asks = getattr(torch._C, "_cuda_hasPrimaryContext", None) if kind == "cuda" else None
    return bool(asks(runtime.current_device() if index is None else index)) if asks else True
