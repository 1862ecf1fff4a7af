"""What a worker's memory does over time, written down as it changes.

A thread looks twice a second; a sample is written where the figure of a device has moved, and
once in a while where nothing has. Loads and evictions are written when the pool says so.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rpgen.run import events
from rpgen.run.journal import Journal
from rpgen.run.measure import MB, memory_now
from rpgen.run.owner import loaded_pool

PERIOD_SECONDS = 0.5
QUIET_SECONDS = 30.0
LEAST_MB, LEAST_SHARE = 8.0, 0.02


class Sampler:
    """Watches one worker. `path` is the file it is at, None between files."""

    def __init__(self, worker: int, journal: Journal) -> None:
        self.path: str | None = None
        self._worker = worker
        self._journal = journal
        self._last: Mapping[str, float] = {}
        self._last_time = 0.0
        self._watching = False
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._sample_for_ever, name="rpgen memory", daemon=True).start()

    def _sample_for_ever(self) -> None:
        while True:
            self.sample(memory_now())
            self.watch_pool()
            time.sleep(PERIOD_SECONDS)

    def sample(
        self, used: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Write `used` down if it tells anything new."""
        now = clock()
        if not used or (not moved(self._last, used) and now - self._last_time < QUIET_SECONDS):
            return
        self._last, self._last_time = used, now
        rounded = {device: round(size, 1) for device, size in used.items()}
        self._journal.append(
            events.MemorySample(worker=self._worker, used_mb=rounded, path=self.path)
        )

    def watch_pool(self) -> None:
        """Hear of what the pool loads and lets go from now on; call it when there may be one."""
        with self._lock:  # the thread and the file's turn may find it at the same moment
            if not self._watching and (pool := loaded_pool()) is not None:
                self._watching = True
                pool.watch(self._pool_changed)
                pool.monitor.start()

    def _pool_changed(self, entry: Any, why: str | None) -> None:
        if entry.identity.kind != "model":
            return
        size = round(entry.size.total / MB, 1)
        if why is not None:
            self._journal.append(
                events.ModelEvicted(
                    worker=self._worker,
                    key=entry.key,
                    reason=why,
                    path=self.path,
                    device=entry.size.device,
                    measured_mb=size,
                )
            )
            return
        self._journal.append(
            events.ModelLoaded(
                worker=self._worker,
                key=entry.key,
                path=self.path,
                device=entry.size.device,
                dtype=entry.size.dtype,
                weights=entry.loaded.weights,
                load_seconds=round(entry.loaded.seconds, 3),
                predicted_mb=entry.loaded.predicted_mb,
                measured_mb=size,
            )
        )


def moved(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether a reading differs from the last one by more than noise."""
    return set(before) != set(after) or any(
        abs(after[device] - before[device]) > max(LEAST_MB, LEAST_SHARE * before[device])
        for device in after
    )
