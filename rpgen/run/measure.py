"""The memory a file needed and left, on the device of its model.

The peak of a file is how far the device's peak rose over the level at the file's start, plus
the models it found already loaded: what it would have needed alone. What leaked is the growth
of the level over the file, after the clean-up, without what the pool rightly still holds.

On the host only memory of the process's own counts, and no mapped files: pages of libraries come
and go as code is used. Weights that are mapped are counted by the pool, whole: whether a page of
theirs was touched by these inputs says nothing. The kernel keeps the record of both kinds
together; the highest that was mapped, taken off it, leaves what was at least the process's own.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MB = 2**20
HOST = "cpu"
_ACCELERATORS = ("cuda", "xpu")


class Sampled(Protocol):
    """What the pool's monitor saw since it was reset: `rpgen.pool.monitor.Peaks`."""

    @property
    def own_mb(self) -> float | None: ...
    @property
    def mapped_mb(self) -> float | None: ...


@dataclass(frozen=True)
class Host:
    """`/proc/<pid>/status` in MB: resident now, its record, and how much of it is files."""

    resident: float
    record: float
    mapped: float = 0.0


@dataclass(frozen=True)
class Reading:
    """MB per device at one time: `now`, and the highest since the peaks were reset."""

    now: Mapping[str, float]
    peak: Mapping[str, float]


def start_measuring(proc: Path = Path("/proc/self")) -> Reading:
    """Read the levels and reset the peaks, where that can be done."""
    for _, module, index in _devices():
        module.reset_peak_memory_stats(index)
    with contextlib.suppress(OSError):  # where it can't be, only a new record of the process shows
        (proc / "clear_refs").write_text("5")
    return read_memory(proc)


def read_memory(proc: Path = Path("/proc/self"), sampled: Sampled | None = None) -> Reading:
    now, peak = {}, {}
    host = _host(proc)
    if host is not None:
        now[HOST] = host.resident - host.mapped
        peak[HOST] = _peak(host, sampled)
    for name, module, index in _devices():
        now[name] = module.memory_allocated(index) / MB
        peak[name] = module.max_memory_allocated(index) / MB
    return Reading(now, peak)


def _peak(host: Host, sampled: Sampled | None) -> float:
    mapped = max(host.mapped, (sampled.mapped_mb if sampled else None) or 0.0)
    own = (sampled.own_mb if sampled else None) or 0.0
    return max(host.record - mapped, own)


def memory_now() -> dict[str, float]:
    """MB in use per device, for a look from another thread: no peak is read or reset."""
    host = _host(Path("/proc/self"))
    used = {} if host is None else {HOST: host.resident}
    return used | {name: module.memory_allocated(index) / MB for name, module, index in _devices()}


def _host(proc: Path) -> Host | None:
    """None where neither /proc nor psutil tells."""
    try:
        return parse_status((proc / "status").read_text())
    except OSError:
        return _host_without_proc()


def resident_mb(pid: int, proc: Path = Path("/proc")) -> float | None:
    """The resident set of another process, None where it can't be read or has ended."""
    try:
        host = parse_status((proc / str(pid) / "status").read_text())
    except OSError:
        return None
    return host.resident if host else None


def parse_status(text: str) -> Host | None:
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM", "RssFile", "RssShmem"):
            sizes[name] = int(value.split()[0]) / 1024
    if "VmRSS" not in sizes or "VmHWM" not in sizes:
        return None
    mapped = sizes.get("RssFile", 0.0) + sizes.get("RssShmem", 0.0)
    return Host(sizes["VmRSS"], sizes["VmHWM"], mapped)


def _host_without_proc() -> Host | None:
    try:
        import resource

        import psutil
    except ImportError:
        return None
    record = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return Host(psutil.Process().memory_info().rss / MB, record * unit / MB)


def _devices() -> Iterator[tuple[str, Any, int]]:
    """The accelerators that this process already uses; never the one to open them."""
    torch = sys.modules.get("torch")
    for kind in _ACCELERATORS:
        module = getattr(torch, kind, None)
        if module is not None and module.is_initialized():
            for index in range(module.device_count()):
                yield f"{kind}:{index}", module, index


def needed_mb(before: Reading, after: Reading, uses: Iterable[Mapping[str, Any]]) -> float | None:
    """The peak of a file on the device of its first model; never less than its models, which
    may have come to lie where something else was let go before."""
    models = list(uses)
    device = device_of(models)
    if device not in after.peak:
        return None
    level = before.now.get(device, 0.0)  # a device that was opened during the file began at 0
    if device == HOST and after.peak[device] <= before.peak.get(device, 0.0) != level:
        return None  # the peaks could not be reset, and this file set no record
    there = [use for use in models if _plain_device(use.get("device")) == device]
    found = sum(use.get("measured_mb") or 0.0 for use in there if use.get("hit"))
    if device == HOST:
        found += sum(use.get("mapped_mb") or 0.0 for use in there if not use.get("hit"))
    models_alone = sum(use.get("measured_mb") or 0.0 for use in there)
    return round(max(after.peak[device] - level + found, models_alone), 1)


def leaked_mb(
    before: Reading,
    after: Reading,
    held_before: Mapping[str, float],
    held_after: Mapping[str, float],
    device: str,
) -> float | None:
    """What the file left on `device`; `held` is what the pool holds there, in MB."""
    if device not in after.now:
        return None
    growth = after.now[device] - before.now.get(device, 0.0)
    rightly = held_after.get(device, 0.0) - held_before.get(device, 0.0)
    return round(max(0.0, growth - rightly), 1)


def device_of(uses: Iterable[Mapping[str, Any]]) -> str:
    """The device of the first model; the host's memory where there is none."""
    for use in uses:
        return _plain_device(use.get("device"))
    return HOST


def _plain_device(device: Any) -> str:
    """torch's "cuda" is "cuda:0", and "cpu" is "cpu" whatever its index."""
    name, _, index = str(device or HOST).partition(":")
    return name if name not in _ACCELERATORS else f"{name}:{index or 0}"


def held_mb(pool_stats: Mapping[str, Any] | None) -> dict[str, float]:
    """MB per device from the `devices` (bytes) of the pool's statistics, mapped files aside."""
    stats = pool_stats or {}
    devices = stats.get("devices") or {}
    held: dict[str, float] = {}
    for name, size in devices.items():
        device = _plain_device(name)
        held[device] = held.get(device, 0.0) + size / MB
    if HOST in held:
        held[HOST] -= (stats.get("mapped_bytes") or 0) / MB
    return held
