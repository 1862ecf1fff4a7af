"""What happens in a run, as values: the lines of the journal.

Worker and supervisor append them to one file, and every report is a fold over them
(`rpgen.run.results`). `path` is a file's name as the person wrote it, `test` the id of a test
(`path::Class::test`). A trouble that belongs to a file as a whole (it can't be imported, say)
is a `TestEnded` whose `test` is the path. An event of an unknown kind, from a later version,
is skipped when read.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    kind: ClassVar[str]
    time: float = field(default_factory=time.time)  # seconds since the epoch


@dataclass(frozen=True, kw_only=True)
class RunAsked(Event):
    """The first line: what was asked for, and in which folder."""

    kind: ClassVar[str] = "run_asked"
    run: str
    folder: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """`files` has a {path, model, family, asked} per file, in the order of the run (`asked` is
    the device that was asked for); `targets` what `--resume` needs to go on with each: {path,
    name, folder, tests, device}."""

    kind: ClassVar[str] = "run_started"
    run: str
    files: tuple[Mapping[str, Any], ...]
    targets: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    rpgen: str = ""


@dataclass(frozen=True, kw_only=True)
class RunResumed(Event):
    """A new supervisor goes on with a run that was cut off or stopped."""

    kind: ClassVar[str] = "run_resumed"
    host: Mapping[str, Any] = field(default_factory=dict)
    rpgen: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkerStarted(Event):
    """`slot` is the place it has, `where` that place in words (a machine, a device)."""

    kind: ClassVar[str] = "worker_started"
    worker: int
    pid: int
    slot: int = 0
    where: str | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerReady(Event):
    """The worker can take files. `versions` are those that it sees: python, torch, ..."""

    kind: ClassVar[str] = "worker_ready"
    worker: int
    versions: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorkerRefused(Event):
    """The worker can't do what the options ask for; nothing was run."""

    kind: ClassVar[str] = "worker_refused"
    worker: int
    message: str


@dataclass(frozen=True, kw_only=True)
class FileStarted(Event):
    kind: ClassVar[str] = "file_started"
    path: str
    worker: int


@dataclass(frozen=True, kw_only=True)
class Collected(Event):
    """The file was imported; `tests` are about to run, in this order."""

    kind: ClassVar[str] = "collected"
    path: str
    tests: tuple[str, ...]
    deselected: int = 0


@dataclass(frozen=True, kw_only=True)
class TestStarted(Event):
    """`output_from` is where this test's output begins in the worker's log.

    `round` counts the runs that `--repeat` asks for, `attempt` those of `--reruns` within one.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever its name begins with
    kind: ClassVar[str] = "test_started"
    path: str
    test: str
    output_from: int = 0
    round: int = 1
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class TestEnded(Event):
    """`message` is the cause in short, `details` the traceback, `output` what was printed."""

    __test__: ClassVar[bool] = False
    kind: ClassVar[str] = "test_ended"
    path: str
    test: str
    outcome: str
    duration_seconds: float = 0.0
    message: str | None = None
    details: str | None = None
    output: str | None = None
    round: int = 1
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class PoolUsed(Event):
    """All that the file has got from the pool so far, one mapping per model."""

    kind: ClassVar[str] = "pool_used"
    path: str
    uses: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class ChecksTold(Event):
    """What the checks of a file have told so far: their `level` with its `reason`, and remarks
    (a batch that was halved, a baseline that was written). `difference` is that of a device to
    the CPU, relative to the spread of the result there."""

    kind: ClassVar[str] = "checks_told"
    path: str
    level: str | None = None
    reason: str | None = None
    remarks: tuple[str, ...] = ()
    difference: float | None = None
    difference_in: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelLoaded(Event):
    """A model came into the pool of a worker, for the file `path` (None between files)."""

    kind: ClassVar[str] = "model_loaded"
    worker: int
    key: str
    path: str | None = None
    device: str | None = None
    dtype: str | None = None
    weights: str | None = None
    load_seconds: float = 0.0
    predicted_mb: float | None = None
    measured_mb: float | None = None


@dataclass(frozen=True, kw_only=True)
class ModelEvicted(Event):
    """A model left the pool of a worker; `reason` says why (room was needed, idle, ...)."""

    kind: ClassVar[str] = "model_evicted"
    worker: int
    key: str
    reason: str
    path: str | None = None
    device: str | None = None
    measured_mb: float | None = None


@dataclass(frozen=True, kw_only=True)
class MemorySample(Event):
    """MB in use in a worker by device: "cpu" is its resident set. Written when it has changed."""

    kind: ClassVar[str] = "memory_sample"
    worker: int
    used_mb: Mapping[str, float]
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileEnded(Event):
    """`left_behind` names threads, processes and settings that the file did not put back."""

    kind: ClassVar[str] = "file_ended"
    path: str
    worker: int
    duration_seconds: float
    peak_mb: float | None = None
    leaked_mb: float | None = None
    left_behind: tuple[str, ...] = ()
    pool: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerDown(Event):
    """The worker is gone in the middle of something: `path` and `test` are what it was at.

    `cause` is the outcome that this costs: crashed, timeout, or error after a second Ctrl-C.
    """

    kind: ClassVar[str] = "worker_down"
    worker: int
    cause: str
    message: str
    path: str | None = None
    test: str | None = None
    duration_seconds: float = 0.0
    details: str | None = None
    output: str | None = None
    round: int = 1
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class WorkerLost(Event):
    """The worker is gone through no fault of a test: what it was at is tried again."""

    kind: ClassVar[str] = "worker_lost"
    worker: int
    message: str
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerSpent(Event):
    """The worker ends by itself: after this file's last test nothing would work in it."""

    kind: ClassVar[str] = "worker_spent"
    worker: int
    path: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Quarantined(Event):
    """The file took the worker down once too often: its `tests` are not run."""

    kind: ClassVar[str] = "quarantined"
    path: str
    tests: tuple[str, ...]
    message: str


@dataclass(frozen=True, kw_only=True)
class RunStopping(Event):
    """No further file begins; the running test may end."""

    kind: ClassVar[str] = "run_stopping"
    reason: str
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class RunEnded(Event):
    """`stopped` says why the run ended before its last file; None where it did not."""

    kind: ClassVar[str] = "run_ended"
    stopped: str | None = None
    interrupted: bool = False


KINDS: dict[str, type[Event]] = {
    each.kind: each
    for each in (
        RunAsked,
        RunStarted,
        RunResumed,
        WorkerStarted,
        WorkerReady,
        WorkerRefused,
        FileStarted,
        Collected,
        TestStarted,
        TestEnded,
        PoolUsed,
        ChecksTold,
        ModelLoaded,
        ModelEvicted,
        MemorySample,
        FileEnded,
        WorkerDown,
        WorkerLost,
        WorkerSpent,
        Quarantined,
        RunStopping,
        RunEnded,
    )
}


def to_dict(event: Event) -> dict[str, Any]:
    return {"event": event.kind, **asdict(event)}


def from_dict(values: Mapping[str, Any]) -> Event | None:
    """The event that `to_dict` wrote; None for one that this version does not know."""
    kind = KINDS.get(str(values.get("event")))
    if kind is None:
        return None
    known = {item.name for item in fields(kind)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name in known
    }
    try:
        return kind(**given)
    except TypeError:  # a required field is missing: written by another version
        return None
