"""When memory is short: how it is noticed, and what low-memory mode changes.

It is switched on by `RESOURCE_POOL_LOW_MEMORY=1`, by hand, or below 4 GB of available memory,
and never off without a word in the log.
"""

import logging
import os
from dataclasses import dataclass

from rpgen.pool.memory import HostFigures

logger = logging.getLogger("rpgen.pool")

ENVIRONMENT = "RESOURCE_POOL_LOW_MEMORY"
THRESHOLD_MB = 4096.0
LOW_SHARE = 0.20
"""The guide's rule for pressure: less than a fifth of the memory is available."""

LARGE_BYTES = 500 * 2**20
CLEANUP_MINUTES = 10.0
MOST_IDLE_MODELS = 2
MOST_IDLE_TOKENIZERS = 16


@dataclass(frozen=True)
class Limits:
    """How many idle things are kept. None: as many as fit."""

    models: int | None = None
    tokenizers: int | None = None


class LowMemory:
    """Whether the mode is on, and why."""

    def __init__(self) -> None:
        self.reason: str | None = None

    @property
    def on(self) -> bool:
        return self.reason is not None

    @property
    def limits(self) -> Limits:
        return Limits(MOST_IDLE_MODELS, MOST_IDLE_TOKENIZERS) if self.on else Limits()

    def look(self, host: HostFigures | None) -> None:
        """Switch it on if the environment or the memory says so."""
        if os.environ.get(ENVIRONMENT, "").strip().lower() in ("1", "true", "yes", "on"):
            self.enable(f"{ENVIRONMENT} is set")
        elif host is not None and host.available_mb < THRESHOLD_MB and not self.on:
            logger.warning(
                "Low memory detected (%.1f MB). Enabling low memory mode.", host.available_mb
            )
            self.reason = f"{host.available_mb:.1f} MB were available"

    def enable(self, reason: str) -> None:
        if not self.on:
            logger.info("Low memory mode is on: %s", reason)
            self.reason = reason

    def disable(self) -> None:
        if self.on:
            logger.info("Low memory mode is off; it was on because %s", self.reason)
            self.reason = None

    def cleanup_minutes(self, asked: float) -> float:
        return min(asked, CLEANUP_MINUTES) if self.on else asked


def kernel_pressure() -> bool:
    """The kernel's own figure where it keeps one, the guide's rule elsewhere."""
    from rpgen.hardware.memory import pressure

    return pressure().under_pressure


def share_is_low(host: HostFigures) -> bool:
    """The guide's rule alone."""
    return host.total_mb > 0 and host.available_mb / host.total_mb < LOW_SHARE
