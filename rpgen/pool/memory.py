"""What memory there is for a load: the driver's figures, a budget, and what is promised.

A load reserves what it is predicted to take before it starts, so that two loads can't both
count on the same bytes. Devices that share the host's memory share its budget.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rpgen.hardware.types import HardwareSnapshot

HOST = "cpu"


@dataclass(frozen=True)
class HostFigures:
    """The host's memory as the pool reports it. `limit_source` names the smaller figure's."""

    total_mb: float
    available_mb: float
    limit_source: str


def read_host() -> HostFigures:
    from rpgen.hardware.memory import host_memory

    found = host_memory()
    return HostFigures(found.total_mb, found.available_mb, found.limit_source)


class FreeMemory(Protocol):
    """Reads the free MB of a torch device; None where that can't be known.

    Without `create_context` no context is made on a device that has none.
    """

    def __call__(self, device: str, *, create_context: bool = False) -> float | None: ...


def read_free(device: str, *, create_context: bool = False) -> float | None:
    """The driver's own figure. torch is imported only to make a context that is asked for."""
    from rpgen.hardware.memory import device_free_mb

    if create_context and device != HOST:
        import torch  # noqa: F401  device_free_mb asks only a torch that is there
    return device_free_mb(device, create_context=create_context)


class Reservations:
    """Bytes promised to loads under way, per domain of memory."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._promised: dict[int, tuple[Mapping[str, float], int]] = {}
        self._next = 0

    def promised_mb(self, domain: str) -> float:
        with self._changed:
            return sum(amounts.get(domain, 0.0) for amounts, _ in self._promised.values())

    def reserve(self, amounts: Mapping[str, float]) -> int:
        """MB by domain, until the ticket that this returns is released."""
        with self._changed:
            self._next += 1
            self._promised[self._next] = (amounts, threading.get_ident())
            return self._next

    def release(self, ticket: int) -> None:
        with self._changed:
            self._promised.pop(ticket, None)
            self._changed.notify_all()

    def by_domain(self) -> dict[str, float]:
        """What is promised now, for a person to look at."""
        with self._changed:
            promised = list(self._promised.values())
        totals: dict[str, float] = {}
        for amounts, _ in promised:
            for domain, mb in amounts.items():
                totals[domain] = totals.get(domain, 0.0) + mb
        return totals

    def wait_for_others(self, seconds: float) -> bool:
        """Wait until some other thread's load has ended; False where there is none to wait for.

        A thread that has a promise itself never waits: the other may be waiting for it.
        """
        with self._changed:
            before = set(self._promised)
            threads = {thread for _, thread in self._promised.values()}
            if not threads or threading.get_ident() in threads:
                return False
            return self._changed.wait_for(lambda: not before <= set(self._promised), seconds)


class Budget:
    """Free memory per device as placement should see it."""

    def __init__(
        self,
        read: FreeMemory,
        reservations: Reservations,
        limits_mb: Mapping[str, float] | None = None,
    ) -> None:
        self._read = read
        self._reservations = reservations
        self._limits = dict(limits_mb or {})

    def driver_mb(self, domain: str) -> float | None:
        """The driver's own figure, whatever the budget."""
        return self._read(domain)

    def free_mb(self, domain: str, held_mb: float, *, create_context: bool = False) -> float | None:
        """The smaller of what the driver says and what is left of the budget, less promises."""
        found = self._read(domain, create_context=create_context)
        limit = self._limits.get(domain)
        left = None if limit is None else max(0.0, limit - held_mb)
        known = [figure for figure in (found, left) if figure is not None]
        if not known:
            return None
        return max(0.0, min(known) - self._reservations.promised_mb(domain))


def domains(snapshot: HardwareSnapshot) -> dict[str, str]:
    """Each torch device of the machine and the memory it computes in."""
    found = {HOST: HOST}
    for backend in snapshot.backends:
        for device in snapshot.devices(backend):
            if device.torch_device:
                found[device.torch_device] = HOST if device.unified else device.torch_device
    return found
