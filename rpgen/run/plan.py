"""What a run would do, worked out before anything is loaded.

The pool that decides in the worker decides here as well, over models that are only as large
as the real ones are predicted to be: so the loads and evictions of the plan are those of the
run, as far as the predictions hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rpgen.errors import DoesNotFitError, RpgenError
from rpgen.hardware.types import HardwareSnapshot
from rpgen.pool.memory import HOST, HostFigures, domains
from rpgen.run.backlog import LOOK_AHEAD
from rpgen.run.schedule import Job

MB = 2**20
WORKER_MB = 700.0
"""What a worker with torch and transformers takes itself, beside its models."""
CONTEXT_MB = 500.0
"""What an accelerator's context takes."""


@dataclass(frozen=True)
class Gone:
    key: str
    device: str | None
    mb: float
    reason: str


@dataclass(frozen=True)
class Step:
    """One file. `loads` says whether its model is loaded for it, None where it names none.

    `file_mb` is what the file is predicted to take with its model, `device_mb` all that is
    then taken on that device. `problem` is why it can't run as it should.
    """

    path: str
    model: str | None
    loads: bool | None = None
    device: str | None = None
    dtype: str | None = None
    weights: str | None = None
    file_mb: float | None = None
    device_mb: float | None = None
    source: str | None = None
    evicted: tuple[Gone, ...] = ()
    degraded: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Plan:
    """`peak_mb` and `budget_mb` are by device; a budget is None where there is none."""

    host: str
    steps: tuple[Step, ...]
    peak_mb: Mapping[str, float] = field(default_factory=dict)
    budget_mb: Mapping[str, float] = field(default_factory=dict)

    @property
    def loads(self) -> int:
        return sum(step.loads is True for step in self.steps)

    @property
    def evictions(self) -> int:
        return sum(len(step.evicted) for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "loads": self.loads, "evictions": self.evictions}


@dataclass(frozen=True)
class Machine:
    """The machine that the plan is for. `free_mb` by memory: of the host and of each device."""

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


class _Weights:
    """Stands for a loaded model: it is as large."""

    def __init__(self, size: int) -> None:
        self.nbytes = size


class _Source:
    """Stands for a checkpoint: tells what that tells, and loads nothing."""

    def __init__(self, checkpoint: Any) -> None:
        self._checkpoint = checkpoint

    def pool_options(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = self._checkpoint.pool_options()
        return options

    def estimate(self) -> Any:
        return self._checkpoint.estimate()

    def cache_shape(self) -> Any:
        return self._checkpoint.cache_shape()

    def describe(self) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self._checkpoint.describe()
        return described

    def load_model(self, device: str = HOST, dtype: str | None = None) -> _Weights:
        return _Weights(self.estimate().bytes_by_dtype(dtype) or 0)


class Planner:
    """One worker's run on a machine, file after file."""

    def __init__(self, machine: Machine, budgets: Mapping[str, float]) -> None:
        from rpgen.pool.pool import ResourcePool

        self._machine = machine
        self._held: dict[str, float] = {}
        self._gone: list[Gone] = []
        self.peak_mb: dict[str, float] = {}
        self._pool = ResourcePool(
            snapshot=lambda: machine.snapshot,
            free_memory=self._free,
            host=lambda: HostFigures(machine.total_mb, self._free(HOST) or 0.0, "the plan"),
            budgets_mb=budgets,
        )
        self._pool.watch(self._changed)

    def _free(self, device: str, *, create_context: bool = False) -> float | None:
        free = self._machine.free_mb.get(device)
        return None if free is None else free - self._held.get(device, 0.0)

    def _changed(self, entry: Any, why: str | None) -> None:
        for device, size in entry.size.by_device.items():
            change = size / MB if why is None else -size / MB
            self._held[device] = self._held.get(device, 0.0) + change
        if why is not None:
            size_mb = round(entry.size.total / MB, 1)
            self._gone.append(Gone(entry.key, entry.size.device, size_mb, why))

    def step(self, job: Job, upcoming: Sequence[str]) -> Step:
        self._gone.clear()
        bare = Step(job.name, job.facts.model)
        if not job.facts.checkpoint or job.facts.family is None:
            return bare
        try:
            return self._load(job, bare, upcoming)
        except (RpgenError, TypeError) as error:
            kind = "fits nowhere: " if isinstance(error, DoesNotFitError) else ""
            return Step(job.name, job.facts.model, problem=f"{kind}{error}")

    def _load(self, job: Job, bare: Step, upcoming: Sequence[str]) -> Step:
        from rpgen.models import Checkpoint

        source = _Source(Checkpoint(**job.facts.checkpoint))
        with self._pool.owner(job.name):
            self._pool.expect(upcoming)
            self._pool.get_model(
                str(job.facts.family),
                str(job.facts.model),
                constructor=source.load_model,
                hardware_preferences=job.facts.preferences,
            )
        (use,) = self._pool.uses(job.name)
        device = use.device or HOST
        held = self._held.get(device, 0.0)
        working = max(0.0, (use.predicted_mb or 0.0) - (use.measured_mb or 0.0))
        self.peak_mb[device] = max(self.peak_mb.get(device, 0.0), held + working)
        return Step(
            path=job.name,
            model=bare.model,
            loads=not use.hit,
            device=device,
            dtype=use.dtype or ("fp32" if device == HOST else None),  # as the pool asks for
            weights=use.weights,
            file_mb=None if use.predicted_mb is None else round(use.predicted_mb, 1),
            device_mb=round(held + working, 1),
            source=source.estimate().source,
            evicted=tuple(self._gone),
            degraded=use.degraded,
        )


def make_plan(
    jobs: Sequence[Job],
    machine: Machine,
    budgets: Mapping[str, float],
    progress: Callable[[Step], None] = lambda step: None,
) -> Plan:
    """The plan for these files in this order."""
    planner = Planner(machine, budgets)
    keys = [job.facts.pool_key for job in jobs]
    steps = []
    for number, job in enumerate(jobs):
        upcoming = [key for key in keys[number : number + LOOK_AHEAD] if key]
        steps.append(planner.step(job, upcoming))
        progress(steps[-1])
    peaks = {device: round(mb, 1) for device, mb in planner.peak_mb.items()}
    shown = {device: budgets[device] for device in peaks if device in budgets}
    return Plan(machine.snapshot.host.name, tuple(steps), peaks, shown)
