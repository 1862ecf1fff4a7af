"""What the supervisor knows of a worker, from events, on a clock made by hand."""

from rpgen.run import events
from rpgen.run.channel import Command, RunFile
from rpgen.run.watch import Watched


class Handle:
    pid = 1

    def send(self, command: Command) -> None: ...
    def exit_status(self) -> int | None: ...
    def interrupt(self) -> None: ...
    def show_stacks(self) -> str: ...
    def stacks(self) -> str: ...
    def memory_mb(self) -> float | None: ...
    def oom_kills(self) -> int | None: ...
    def printed_since(self, begin: int) -> str | None: ...
    def last_words(self) -> str: ...
    def bound_log(self) -> None: ...
    def end(self, patience: float) -> None: ...


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_step_of_a_file_has_its_own_time() -> None:
    clock = Clock()
    worker = Watched(1, Handle(), clock=clock)
    worker.handed = [RunFile("/a", "a"), RunFile("/b", "b")]
    clock.now = 100.0
    assert not worker.overdue(10)  # it is at no file yet
    worker.note(events.FileStarted(path="a", worker=1))
    assert worker.doing == "importing the file"
    assert worker.task() == RunFile("/a", "a")
    clock.now = 109.0
    assert not worker.overdue(10)
    worker.note(events.Collected(path="a", tests=("a::t",)))
    worker.note(events.TestStarted(path="a", test="a::t"))
    assert worker.doing == "the test"
    clock.now = 120.0
    worker.note(events.PoolUsed(path="a", uses=()))  # no step of its own
    assert worker.overdue(10)
    assert not worker.overdue(0)  # no limit
    worker.note(events.TestEnded(path="a", test="a::t", outcome="passed"))
    assert not worker.overdue(10)
    assert (worker.test, worker.doing) == (None, "the clean-up after its tests")
    worker.note(events.FileEnded(path="a", worker=1, duration_seconds=1.0))
    assert (worker.path, worker.finished) == (None, 1)
    assert worker.handed == [RunFile("/b", "b")]
    assert worker.task() is None
