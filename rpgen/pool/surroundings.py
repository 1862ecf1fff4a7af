"""What the pool asks of the world around it, each part fetched on first use."""

import logging
import threading
from collections.abc import Callable

from rpgen.errors import DataError
from rpgen.families import Classification
from rpgen.hardware.types import HardwareSnapshot
from rpgen.pool import low_memory
from rpgen.pool.memory import HOST, HostFigures, read_host

_log = logging.getLogger(__name__)


class Surroundings:
    """The hardware (looked at once), the host's memory (read each time), classification."""

    def __init__(
        self,
        snapshot: Callable[[], HardwareSnapshot] | None,
        host: Callable[[], HostFigures] | None,
        classify: Callable[[str], Classification | None] | None,
    ) -> None:
        self._look = snapshot or _look
        self._given_host = host
        self._classify = classify or _classify
        self._lock = threading.Lock()
        self.known_snapshot: HardwareSnapshot | None = None

    def snapshot(self) -> HardwareSnapshot:
        found = self.known_snapshot
        if found is not None:
            return found
        with self._lock:
            if self.known_snapshot is None:
                self.known_snapshot = self._look()
            return self.known_snapshot

    def host(self) -> HostFigures:
        return (self._given_host or read_host)()

    def host_or_none(self) -> HostFigures | None:
        try:
            return self.host()
        except (OSError, ImportError):  # no /proc and no psutil: nothing is known
            return None

    def taken_mb(self) -> dict[str, float]:
        """What is taken on each accelerator that this process uses already, by whomever."""
        from rpgen.hardware.memory import device_free_mb

        snapshot = self.known_snapshot
        devices = [d for b in snapshot.backends for d in snapshot.devices(b)] if snapshot else []
        taken = {}
        for device in devices:
            name, total = device.torch_device, device.total_mb
            if name and name != HOST and not device.unified and total is not None:
                free = device_free_mb(name)
                if free is not None:
                    taken[name] = total - free
        return taken

    def under_pressure(self) -> bool:
        """By the kernel; where the host's figures were given, by the guide's rule on them."""
        if self._given_host is not None:
            return low_memory.share_is_low(self._given_host())
        try:
            return low_memory.kernel_pressure()
        except (OSError, ImportError):
            return False

    def classify(self, name: str) -> Classification | None:
        """What is known of a model by its name; None where the database can't be read."""
        try:
            return self._classify(name)
        except DataError:
            return None


def _look() -> HardwareSnapshot:
    import os
    from pathlib import Path

    from rpgen.hardware import cache

    named = os.environ.get("HARDWARE_DETECTION_CACHE")
    return cache.snapshot(Path(named) if named else None, warn=_log.warning)


def _classify(name: str) -> Classification | None:
    from rpgen import classification, model_database

    facts = classification.ModelFacts(name)
    found: Classification = classification.classify(facts, model_database.load())
    return found
