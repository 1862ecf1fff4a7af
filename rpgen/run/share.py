"""What each of several workers on one machine has of it, for a plan: devices, memory, budgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rpgen.hardware.types import Backend, Device, HardwareSnapshot
from rpgen.pool.budgets import budgets_mb
from rpgen.pool.memory import HOST, domains
from rpgen.run.division import Resources, any_will_do, divide

WORKER_MB = 700.0
"""What a worker with torch and transformers takes itself, beside its models."""
CONTEXT_MB = 500.0
"""What an accelerator's context takes."""
_HIDDEN = {"CUDA_VISIBLE_DEVICES": Backend.CUDA, "HIP_VISIBLE_DEVICES": Backend.ROCM}


@dataclass(frozen=True)
class Machine:
    """The machine that the plan is for. `free_mb` by memory: of the host and of each device,
    with one worker on it."""

    snapshot: HardwareSnapshot
    total_mb: float
    free_mb: Mapping[str, float]


def this_machine(snapshot: HardwareSnapshot) -> Machine:
    """With the memory that is free on it now."""
    from rpgen.pool.memory import read_host

    host = read_host()
    free = {HOST: host.available_mb - WORKER_MB, **_devices(snapshot)}
    return Machine(snapshot, host.total_mb, free)


def other_machine(snapshot: HardwareSnapshot) -> Machine:
    """With all of its memory free: what else runs there is not known here."""
    total = snapshot.memory_limit_mb or snapshot.memory_total_mb
    return Machine(snapshot, total, {HOST: total - WORKER_MB, **_devices(snapshot)})


def _devices(snapshot: HardwareSnapshot) -> dict[str, float]:
    """The devices with memory of their own, all of it but a context's free."""
    domain = domains(snapshot)
    return {
        device.torch_device: device.total_mb - CONTEXT_MB
        for backend in snapshot.backends
        for device in snapshot.devices(backend)
        if device.torch_device and device.total_mb is not None
        if domain[device.torch_device] != HOST
    }


def resources_of(machine: Machine, device: str | None) -> Resources:
    """What there is to divide on a machine that can't be looked at. `device` as asked for."""
    free = machine.free_mb[HOST] + WORKER_MB
    for visible, backend in _HIDDEN.items():
        found = machine.snapshot.devices(backend)
        if found and any_will_do(device):
            names = tuple(str(number) for number in range(len(found)))
            return Resources(machine.snapshot.cpu_count, free, names, visible)
    return Resources(machine.snapshot.cpu_count, free)


@dataclass(frozen=True)
class Share:
    """One worker's. It numbers its devices from 0; `real` has the machine's names for them."""

    snapshot: HardwareSnapshot
    budgets: Mapping[str, float]
    real: Mapping[str, str] = field(default_factory=dict)

    def real_name(self, device: str) -> str:
        return self.real.get(device, device)


def shares(
    machine: Machine, count: int, here: Resources, environment: Mapping[str, str]
) -> tuple[Share, ...]:
    """As `division.divide` gives them to the workers of a run."""
    found = []
    for own in divide(count, here, environment):
        budgets = budgets_mb({**environment, **own})
        names = own.get(here.visible)
        if names is None:
            found.append(Share(machine.snapshot, budgets))
        else:
            places = [here.accelerators.index(name) for name in names.split(",")]
            found.append(_only(machine.snapshot, _HIDDEN[here.visible], places, budgets))
    return tuple(found)


def _only(
    snapshot: HardwareSnapshot, backend: Backend, places: list[int], budgets: Mapping[str, float]
) -> Share:
    """The machine with these accelerators only."""
    report = snapshot.report(backend)
    shown = [report.devices[place] for place in places if place < len(report.devices)]
    devices = tuple(_numbered(device, number) for number, device in enumerate(shown))
    real = {
        str(new.torch_device): str(old.torch_device)
        for new, old in zip(devices, shown, strict=True)
    }
    backends = {**snapshot.backends, backend: replace(report, devices=devices)}
    return Share(replace(snapshot, backends=backends), budgets, real)


def _numbered(device: Device, number: int) -> Device:
    return replace(device, index=number, torch_device=f"cuda:{number}")


class Ledger:
    """The memory of a machine that several workers take from, by the machine's own names."""

    def __init__(self, machine: Machine, workers: tuple[Share, ...]) -> None:
        self._free = dict(machine.free_mb)
        self._free[HOST] -= WORKER_MB * (len(workers) - 1)
        self._held: dict[str, float] = {}
        self._working: dict[tuple[int, str], float] = {}
        self.peak_mb: dict[str, float] = {}
        users = [name for worker in workers for name in worker.real.values()]
        for name in set(users):
            self._free[name] = self._free.get(name, 0.0) - CONTEXT_MB * (users.count(name) - 1)

    def free_mb(self, device: str) -> float | None:
        free = self._free.get(device)
        return None if free is None else free - self._held.get(device, 0.0)

    def take(self, device: str, mb: float) -> None:
        self._held[device] = self._held.get(device, 0.0) + mb

    def works(self, worker: int, device: str | None, mb: float) -> float:
        """A worker's file takes so much beside the models while it runs, until its next one
        begins; all that is then taken there."""
        for other in [key for key in self._working if key[0] == worker]:
            del self._working[other]
        if device is None:
            return 0.0
        self._working[worker, device] = mb
        taken = self._held.get(device, 0.0) + sum(
            mb for (_, where), mb in self._working.items() if where == device
        )
        self.peak_mb[device] = max(self.peak_mb.get(device, 0.0), taken)
        return taken
