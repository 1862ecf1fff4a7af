"""What a run would do, worked out before anything is loaded.

The pool that decides in a worker decides here as well, over models that are only as large
as the real ones are predicted to be: so the loads and evictions of the plan are those of the
run, as far as the predictions hold. With several workers the files are handed out as in a run
in which each takes as long as it is said to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from unittest import SkipTest

from rpgen.errors import DoesNotFitError, RpgenError
from rpgen.pool.future import Coming, Tell
from rpgen.pool.memory import HOST, HostFigures
from rpgen.run.coming import of_file
from rpgen.run.rehearsal import rehearse
from rpgen.run.schedule import Job
from rpgen.run.share import Ledger, Machine, Share

MB = 2**20


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
    then taken on that device. `problem` is why it can't run as it should, which is not `fits`
    where there is no room for it.
    """

    path: str
    model: str | None
    worker: int = 0
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
    fits: bool = True


@dataclass(frozen=True)
class Plan:
    """The files as they begin. `peak_mb` and `budget_mb` are by device; a budget, which is that
    of all workers, is None where there is none."""

    host: str
    steps: tuple[Step, ...]
    peak_mb: Mapping[str, float] = field(default_factory=dict)
    budget_mb: Mapping[str, float] = field(default_factory=dict)
    workers: int = 1

    @property
    def loads(self) -> int:
        return sum(step.loads is True for step in self.steps)

    @property
    def evictions(self) -> int:
        return sum(len(step.evicted) for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "loads": self.loads, "evictions": self.evictions}


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
    """One worker's part of a run, file after file."""

    def __init__(
        self, number: int, share: Share, ledger: Ledger, machine: Machine, tell: Tell
    ) -> None:
        from rpgen.pool.pool import ResourcePool

        self._number, self._share, self._ledger, self._tell = number, share, ledger, tell
        self._gone: list[Gone] = []
        self._pool = ResourcePool(
            snapshot=lambda: share.snapshot,
            free_memory=self._free,
            host=lambda: HostFigures(machine.total_mb, self._free(HOST) or 0.0, "the plan"),
            budgets_mb=share.budgets,
        )
        self._pool.watch(self._changed)

    def _free(self, device: str, *, create_context: bool = False) -> float | None:
        return self._ledger.free_mb(self._share.real_name(device))

    def _changed(self, entry: Any, why: str | None) -> None:
        for device, size in entry.size.by_device.items():
            mb = size / MB
            self._ledger.take(self._share.real_name(device), mb if why is None else -mb)
        if why is not None:
            size_mb, device = round(entry.size.total / MB, 1), self._real(entry.size.device)
            self._gone.append(Gone(entry.key, device, size_mb, why))

    def _real(self, device: str | None) -> str | None:
        return device and self._share.real_name(device)

    def end(self) -> None:
        """The worker ends, and its models with it."""
        self._pool.clear()

    def step(self, job: Job, upcoming: Sequence[str]) -> Step:
        self._gone.clear()
        self._ledger.works(self._number, None, 0.0)
        bare = Step(job.name, job.facts.model, self._number)
        try:
            coming = of_file(job.facts, _Source)
            return bare if coming is None else self._load(job.name, coming, upcoming)
        except (RpgenError, TypeError, SkipTest) as error:
            fits = not isinstance(error, DoesNotFitError)
            problem = str(error) if fits else f"fits nowhere: {error}"
            return Step(job.name, job.facts.model, self._number, problem=problem, fits=fits)

    def _load(self, name: str, coming: Coming, upcoming: Sequence[str]) -> Step:
        with self._pool.owner(name):
            self._pool.expect(upcoming, self._tell)
            self._pool.get_model(
                coming.model_type,
                coming.model_name,
                constructor=coming.constructor,
                hardware_preferences=coming.hardware_preferences,
            )
        (use,) = self._pool.uses(name)
        device = self._share.real_name(use.device or HOST)
        working = max(0.0, (use.predicted_mb or 0.0) - (use.measured_mb or 0.0))
        return Step(
            path=name,
            model=coming.model_name,
            worker=self._number,
            loads=not use.hit,
            device=device,
            dtype=use.dtype or ("fp32" if device == HOST else None),  # as the pool asks for
            weights=use.weights,
            file_mb=None if use.predicted_mb is None else round(use.predicted_mb, 1),
            device_mb=round(self._ledger.works(self._number, device, working), 1),
            source=use.estimate_source,
            evicted=tuple(self._gone),
            degraded=use.degraded,
        )


def make_plan(
    jobs: Sequence[Job],
    machine: Machine,
    workers: tuple[Share, ...],
    budgets: Mapping[str, float],
    seconds: Callable[[str], float] = lambda name: 1.0,
    isolate: bool = False,
) -> Plan:
    """The plan for these files. `budgets` are those of the whole run, `seconds` how long a file
    takes; with `isolate` each has a worker of its own."""
    by_name = {job.name: job for job in jobs}
    by_key = {job.facts.pool_key: job for job in reversed(jobs)}
    ledger = Ledger(machine, workers)

    def tell(key: str) -> Coming | None:
        return of_file(by_key[key].facts, _Source) if key in by_key else None

    def planner(number: int) -> Planner:
        return Planner(number, workers[number], ledger, machine, tell)

    planners = [planner(number) for number in range(len(workers))]
    keys = {job.name: job.facts.pool_key for job in jobs}
    tasks = [job.task() for job in jobs]
    steps = []
    for number, task in rehearse(tasks, keys, len(workers), seconds, isolate):
        if isolate:
            planners[number].end()
            planners[number] = planner(number)
        steps.append(planners[number].step(by_name[task.name], task.upcoming))
    peaks = {device: round(mb, 1) for device, mb in ledger.peak_mb.items()}
    shown = {device: budgets[device] for device in peaks if device in budgets}
    return Plan(machine.snapshot.host.name, tuple(steps), peaks, shown, len(workers))
