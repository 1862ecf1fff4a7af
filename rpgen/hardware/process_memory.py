"""The memory of this process: its own, and the parts of files that it has mapped.

A safetensors file is mapped, not read: its weights are in memory once a computation has touched
them, and the kernel may take them away again. Such pages count as resident like any other, so
what a model takes can only be told by keeping the two apart.
"""

import bisect
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MB = 2**20
_PAGE_MB = (os.sysconf("SC_PAGESIZE") if hasattr(os, "sysconf") else 4096) / MB
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ [1-9]\d* +(/.*)$", re.MULTILINE)


@dataclass(frozen=True)
class ProcessMemory:
    """Resident MB: `own_mb` nobody else has, `mapped_mb` are files (libraries, weights)."""

    own_mb: float
    mapped_mb: float


def read_process_memory(proc: Path = Path("/proc/self")) -> ProcessMemory | None:
    """What is resident now; None where neither /proc nor psutil tells."""
    try:
        return parse_statm((proc / "statm").read_bytes())
    except OSError:
        return _without_proc()


def parse_statm(text: bytes) -> ProcessMemory | None:
    """`/proc/<pid>/statm`: pages in all, resident, and of those shared with files."""
    fields = text.split()
    if len(fields) < 3:
        return None
    resident, shared = int(fields[1]), int(fields[2])
    return ProcessMemory((resident - shared) * _PAGE_MB, shared * _PAGE_MB)


def _without_proc() -> ProcessMemory | None:
    try:
        import psutil
    except ImportError:
        return None
    return ProcessMemory(psutil.Process().memory_info().rss / MB, 0.0)


class Mappings:
    """The address ranges in which files are mapped into this process."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._ranges = sorted(ranges)
        self._starts = [start for start, _ in self._ranges]

    @classmethod
    def read(cls, proc: Path = Path("/proc/self")) -> "Mappings":
        try:
            text = (proc / "maps").read_text(encoding="utf-8", errors="replace")
        except OSError:  # no /proc: nothing is known to be mapped
            return cls(())
        return cls((int(start, 16), int(end, 16)) for start, end, _ in _MAPPING.findall(text))

    def holds(self, address: int) -> bool:
        place = bisect.bisect_right(self._starts, address) - 1
        return place >= 0 and address < self._ranges[place][1]
