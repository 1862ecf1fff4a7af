"""Giving memory back: what is let go must really be gone.

A model that nobody refers to is freed the moment the pool's reference goes; one in a cycle
needs the collector; the backend and the C library then hold on to the bytes until they are
asked. Nothing here changes a model: somebody outside may still hold it.
"""

import ctypes
import functools
import gc
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MB = 2**20
SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.02
_WORTH_TRIMMING = 16 * MB


@dataclass(frozen=True)
class Freed:
    """What came of letting things go. `held_outside` are keys whose values live on."""

    removed: int = 0
    expected_mb: float = 0.0
    held_outside: tuple[str, ...] = ()
    mb_by_device: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Leaving:
    """Something on its way out. The value is taken from here, so that nothing else holds it."""

    key: str
    value: Any
    size: int
    by_device: dict[str, int] = field(default_factory=dict)
    close: Callable[[], None] | None = None


def free(leaving: list[Leaving]) -> Freed:
    """Let go of the values and give their memory back. Call it without any lock.

    The list is emptied: a caller that kept it would keep the models. What is closed is closed
    after the others are gone, and has given its memory back with that.
    """
    removed = len(leaving)
    closers = [item.close for item in leaving if item.close is not None]
    watched = [
        (item.key, item.size, item.by_device, None if item.close else _weak(item.value))
        for item in leaving
    ]
    leaving.clear()
    if any(_alive(ref) for *_, ref in watched):
        gc.collect()
    for close in closers:
        close()
    outside = tuple(key for key, _, _, ref in watched if _alive(ref))
    freed, by_device = 0, dict[str, float]()
    for key, size, places, _ in watched:
        if key not in outside:
            freed += size
            for device, part in places.items():
                by_device[device] = by_device.get(device, 0.0) + part / MB
    give_back({device for _, _, places, _ in watched for device in places}, freed)
    return Freed(removed, freed / MB, outside, by_device)


def give_back(devices: Iterable[str], freed_bytes: int) -> None:
    """Empty the caches of the backends concerned, and the C library's free lists."""
    for backend in sorted({device.partition(":")[0] for device in devices}):
        empty_backend_cache(backend)
    if freed_bytes >= _WORTH_TRIMMING:
        trim_host()


def empty_backend_cache(backend: str) -> None:
    """Ask torch's allocator to hand what it keeps in reserve to the driver."""
    torch = sys.modules.get("torch")
    if torch is None or backend not in ("cuda", "xpu", "mps"):
        return
    runtime = getattr(torch, backend)
    if torch.backends.mps.is_available() if backend == "mps" else runtime.is_initialized():
        runtime.empty_cache()


def trim_host() -> bool:
    """Give glibc's free arenas back to the kernel; False where there is no glibc."""
    trim = _malloc_trim()
    return bool(trim(0)) if trim else False


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # musl has none
        return None
    return function


def settle(
    free_now: Callable[[], float | None],
    wanted_mb: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the device has `wanted_mb` free, five seconds at most.

    Drivers free asynchronously. Where the figure can't be had there is nothing to wait for.
    """
    end = clock() + SETTLE_SECONDS
    while True:
        now = free_now()
        if now is None or now >= wanted_mb:
            return True
        if clock() >= end:
            return False
        sleep(_POLL_SECONDS)


def _weak(value: Any) -> weakref.ref[Any] | None:
    try:
        return weakref.ref(value)
    except TypeError:  # a dict, a tuple, a string: can't be watched
        return None


def _alive(reference: weakref.ref[Any] | None) -> bool:
    return reference is not None and reference() is not None
