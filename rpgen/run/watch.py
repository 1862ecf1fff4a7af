"""What the supervisor knows of a worker: what it was handed, and what it is at."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rpgen.run import events
from rpgen.run.channel import RunFile
from rpgen.run.engines.interface import Slot, WorkerHandle
from rpgen.run.rounds import Turn


@dataclass(frozen=True)
class At:
    """What a worker was at, at one time."""

    path: str | None
    test: str | None
    turn: Turn
    doing: str
    file_since: float
    output_from: int


@dataclass
class Watched:
    """A worker process. `path` and `test` are what it is at, from the journal.

    `since` is when it began with that, `file_since` when with the file (monotonic seconds).
    """

    number: int
    handle: WorkerHandle
    slot: Slot = field(default_factory=lambda: Slot(0))
    oom_kills: int | None = None
    late_conftest: bool = False
    clock: Callable[[], float] = time.monotonic
    handed: list[RunFile] = field(default_factory=list)
    finished: int = 0
    ready: bool = False
    told_to_exit: bool = False
    spent: str | None = None
    memory_mb: float | None = None
    path: str | None = None
    test: str | None = None
    collecting: bool = False
    output_from: int = 0
    turn: Turn = field(default_factory=Turn)

    def __post_init__(self) -> None:
        self.since = self.file_since = self.clock()

    def concerns(self, event: events.Event) -> bool:
        """Whether an event is about this worker: it names it, or the file that it is at."""
        worker = getattr(event, "worker", None)
        if worker is not None:
            return bool(worker == self.number)
        return self.path is not None and getattr(event, "path", None) == self.path

    def note(self, event: events.Event) -> None:
        match event:
            case events.WorkerReady():
                self.ready = True
            case events.FileStarted():
                self.path, self.test, self.collecting = event.path, None, True
                self.file_since, self.turn = self.clock(), Turn()
            case events.Collected():
                self.collecting = False
            case events.TestStarted():
                self.test, self.output_from = event.test, event.output_from
                self.turn = Turn(event.round, event.attempt)
            case events.TestEnded():
                self.test, self.turn = None, Turn()
            case events.WorkerSpent():
                self.spent = event.message
            case events.FileEnded():
                self.path = self.test = None
                self.finished += 1
                self.handed = [task for task in self.handed if task.name != event.path]
            case _:
                return
        self.since = self.clock()

    def at(self) -> At:
        return At(self.path, self.test, self.turn, self.doing, self.file_since, self.output_from)

    @property
    def doing(self) -> str:
        """In words, for messages; the test's own id stands beside them in reports."""
        if self.test is not None:
            return "the test"
        return "importing the file" if self.collecting else "the clean-up after its tests"

    def overdue(self, limit: float) -> bool:
        """Whether it has been at one thing of a file for longer than `limit` seconds."""
        return bool(limit) and self.path is not None and self.clock() - self.since > limit

    def task(self) -> RunFile | None:
        """The command for the file it is at."""
        return next((task for task in self.handed if task.name == self.path), None)
