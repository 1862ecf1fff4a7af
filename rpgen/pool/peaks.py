"""What models were measured to take, kept for the next run: one line for each measurement.

Lines are appended in one write, so that several runs can do so at once; whatever can't be read
is passed over. The next prediction is the highest of the last few, because a run of only some
of a file's tests needs less. A line counts only for the same model, options, kind of device and
dtype, the same version of torch, and weights of the same size.
"""

import functools
import json
import math
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rpgen.whole_files import write_whole

_LAST = 3
_LARGEST_FILE = 4 * 2**20
_SAME_WEIGHTS = 0.02


@dataclass(frozen=True)
class Peak:
    """One measurement. `options` tell instances of one name apart, as in the pool's identity."""

    name: str
    options: str
    kind: str
    dtype: str | None
    peak_mb: float
    weights_mb: float
    torch: str


class PeakStore:
    """Reads its file when it is first asked; a file that is not there is empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._peaks: dict[tuple[str, str], list[Peak]] | None = None

    def of(self, name: str, options: str) -> tuple[Peak, ...]:
        """What was measured of this model with the torch of now, oldest first."""
        with self._lock:
            found = self._read().get((name, options), ())
        return tuple(peak for peak in found if peak.torch == torch_version())

    def add(self, peak: Peak) -> bool:
        """Remember, and write down; False where it could not be written."""
        with self._lock:
            self._read().setdefault((peak.name, peak.options), []).append(peak)
            return self._append(json.dumps(asdict(peak)) + "\n")

    def _append(self, line: str) -> bool:
        if self._path is None:
            return False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > _LARGEST_FILE:
                self._shorten()
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
        except OSError:  # a folder that can't be written to costs the next run a prediction
            return False
        return True

    def _shorten(self) -> None:
        """Keep the last few of each; the new file takes the old one's place at once."""
        assert self._path is not None
        kept = [peak for peaks in self._read().values() for peak in peaks[-_LAST:]]
        write_whole(self._path, "".join(json.dumps(asdict(peak)) + "\n" for peak in kept))

    def _read(self) -> dict[tuple[str, str], list[Peak]]:
        if self._peaks is None:
            self._peaks = {}
            for peak in _parsed(self._path):
                self._peaks.setdefault((peak.name, peak.options), []).append(peak)
        return self._peaks


def expected(
    peaks: tuple[Peak, ...], weights_mb: Mapping[str | None, float | None]
) -> dict[tuple[str, str | None], float]:
    """The highest of the last few by kind of device and dtype. Those whose weights had another
    size (`weights_mb`, by dtype) are of another checkpoint with the same name."""
    last: dict[tuple[str, str | None], list[float]] = {}
    for peak in peaks:
        now = weights_mb.get(peak.dtype)
        if now is not None and abs(now - peak.weights_mb) <= _SAME_WEIGHTS * max(now, 1.0):
            last.setdefault((peak.kind, peak.dtype), []).append(peak.peak_mb)
    return {place: max(found[-_LAST:]) for place, found in last.items()}


@functools.cache
def torch_version() -> str:
    found = getattr(sys.modules.get("torch"), "__version__", None)
    if found is not None:
        return str(found)
    from importlib import metadata

    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "none"


def users_store() -> PeakStore:
    from rpgen import paths

    try:
        return PeakStore(paths.user_cache_folder() / "peaks.jsonl")
    except ImportError:  # no platformdirs, and no folder named: nothing is kept
        return PeakStore(None)


def _parsed(path: Path | None) -> list[Peak]:
    try:
        text = path.read_text("utf-8", errors="replace") if path else ""
    except OSError:
        return []
    return [peak for line in text.splitlines() if (peak := _one(line)) is not None]


def _one(line: str) -> Peak | None:
    try:
        raw: Any = json.loads(line)
        found = Peak(**raw)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (found.name, found.options, found.kind, found.torch)
    sizes = (found.peak_mb, found.weights_mb)
    whole = all(isinstance(text, str) for text in texts) and all(
        isinstance(size, (int, float)) and 0 <= size < math.inf for size in sizes
    )
    return found if whole and isinstance(found.dtype, str | None) else None
