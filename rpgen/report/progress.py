"""A run on the terminal while it goes on: a line per finished file.

On a terminal there is also a status line of what is running now. Elsewhere the same lines
come without colour and without any movement, so that a log of them reads well.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rpgen.report import words
from rpgen.report.early import prepare
from rpgen.run import events
from rpgen.run.measure import resident_mb
from rpgen.run.results import FileResult, Fold, Outcome

if TYPE_CHECKING:
    from rich.console import Console

STYLES: dict[Outcome, str] = {
    Outcome.PASSED: "green",
    Outcome.SKIPPED: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.ERROR: "bold red",
    Outcome.TIMEOUT: "bold magenta",
    Outcome.CRASHED: "bold magenta",
}

_ROOMY = 110  # columns


@contextlib.contextmanager
def surviving_a_closed_pipe() -> Iterator[None]:
    """Nobody may be reading any more (`| head`): the run and its reports go on.

    Rich turns the closed pipe into `SystemExit` and keeps quiet from then on.
    """
    with contextlib.suppress(BrokenPipeError, SystemExit):
        yield


class Progress:
    """Listens to a run. `verbosity` is -1 for quiet, 1 for a line per test.

    The console is made at the first event: by then the worker has been started, and there is
    time to prepare the reports.
    """

    def __init__(self, console: "Callable[[], Console]", verbosity: int = 0) -> None:
        self._make_console = console
        self._verbosity = verbosity
        self._console: Console | None = None
        self._live: Any = None
        self._status = Status()
        self._total = 0
        self._done = 0

    def __call__(self, event: events.Event, fold: Fold) -> None:
        with surviving_a_closed_pipe():
            self._show(event, fold)

    def _show(self, event: events.Event, fold: Fold) -> None:
        if self._console is None:
            self._start()
        self._status.note(event)
        match event:
            case events.RunStarted():
                self._total = self._status.total = len(event.files)
            case events.RunResumed():
                before = fold.result()
                self._total = self._status.total = len(before.files) + len(before.not_run)
                self._done = sum(fold.has_ended(file.path) for file in before.files)
            case events.TestEnded() if self._verbosity > 0:
                self._print(_test_line(event))
            case events.RunStopping(interrupted=True):
                self._print("the running test may end; Ctrl-C again stops it now", "yellow")
            case events.PoolUsed():
                self._status.file = fold.file_result(event.path)
            case events.FileEnded() if self._verbosity >= 0:
                self._file_done(fold.file_result(event.path))
            case (
                events.Quarantined()
                | events.WorkerSpent()
                | events.WorkerLost()
                | events.WorkerDown(path=str())
            ) if self._verbosity >= 0:
                self._print(f"        {_worker_line(event)}", "magenta")

    def _start(self) -> None:
        console = self._console = self._make_console()
        prepare()
        if console.is_terminal and self._verbosity >= 0:
            from rich.live import Live

            self._live = Live(self._status, console=console, transient=True, refresh_per_second=8)
            self._live.start()

    def _file_done(self, file: FileResult) -> None:
        assert self._console is not None
        self._done += 1
        self._status.done = self._done
        line = file_line(file, self._done, self._total, self._console)
        self._console.print(line, soft_wrap=True)

    def _print(self, text: str, style: str = "") -> None:
        if self._console is not None:
            self._console.print(words.printable(text), style=style, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Take the status line away; safe to call at any time, and twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None


class Status:
    """The moving line: which file, which test, for how long, with what, in how much memory."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.file: FileResult | None = None
        self._pid: int | None = None
        self._path = self._test = ""
        self._since = time.monotonic()

    def note(self, event: events.Event) -> None:
        match event:
            case events.WorkerStarted():
                self._pid, self._path = event.pid, ""
            case events.FileStarted():
                self._path, self._test, self.file = event.path, "", None
            case events.TestStarted():
                self._test = event.test.rpartition("::")[2]
            case _:
                return
        self._since = time.monotonic()

    def __rich_console__(self, console: "Console", options: Any) -> Iterator[Any]:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{min(self.done + 1, max(self.total, 1)):>3}/{self.total:<3} ", "bold cyan")
        text.append(words.printable(" · ".join(part for part in self._parts() if part)))
        yield text

    def _parts(self) -> Iterator[str]:
        yield self._path or "starting the worker"
        yield self._test
        yield words.seconds(time.monotonic() - self._since)
        if self.file is not None:
            yield words.weights(self.file)
        memory = resident_mb(self._pid) if self._pid else None
        yield f"{memory:.0f} MB" if memory is not None else ""


def file_line(file: FileResult, number: int, total: int, console: "Console") -> Any:
    """One finished file on one line; the name gives way where the terminal is narrow."""
    from rich.text import Text

    roomy = console.width >= _ROOMY or not console.is_terminal
    facts = [file.model or "" if roomy else ""]
    facts += [words.weights(file), words.counts(file), words.seconds(file.duration_seconds)]
    if file.memory.peak_mb is not None:
        facts.append(f"{words.megabytes(file.memory.peak_mb)} MB")
    tail = "  ".join(fact for fact in facts if fact)
    width = len(str(total))
    head = f"{number:>{width}}/{total}  "
    outcome = f"{file.outcome:<8}"
    room = max(20, console.width - len(head) - len(outcome) - len(tail) - 2)
    name = words.shortened(words.printable(file.path), room) if console.is_terminal else file.path
    text = Text(head, "dim")
    text.append(outcome, STYLES[file.outcome])
    text.append(f"{words.printable(name)}  ")
    return text.append(words.printable(tail), "dim")


def _test_line(event: events.TestEnded) -> str:
    first = (event.message or "").strip().splitlines()[:1]
    cause = f"  {first[0]}" if first else ""
    return f"        {event.outcome:<8}{event.test}  {words.seconds(event.duration_seconds)}{cause}"


def _worker_line(event: events.Event) -> str:
    match event:
        case events.WorkerDown():
            return f"{event.cause:<8}{event.test or event.path}: {event.message}"
        case events.WorkerLost():
            again = f"; {event.path} is tried again" if event.path else ""
            return f"{'worker':<8}lost: {event.message}{again}"
        case events.WorkerSpent():
            return f"{'worker':<8}replaced after {event.path}: {event.message}"
        case events.Quarantined():
            return f"{'error':<8}{event.path}: {len(event.tests)} tests {event.message}"
    return ""
