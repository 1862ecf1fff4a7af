"""A run on the terminal: a line per finished file while it goes on, then a table.

On a terminal there is also a status line of what is running now. Elsewhere the same lines
come without colour and without any movement, so that a log of them reads well.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rpgen.report import words
from rpgen.run import events
from rpgen.run.measure import resident_mb
from rpgen.run.results import BAD, FileResult, Fold, Outcome, RunResult, TestResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES: dict[Outcome, str] = {
    Outcome.PASSED: "green",
    Outcome.SKIPPED: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.ERROR: "bold red",
    Outcome.TIMEOUT: "bold magenta",
    Outcome.CRASHED: "bold magenta",
}
_WIDE = 110
_SHOWN_AT_LENGTH = 10
_SHOWN_LINES = 30


@contextlib.contextmanager
def surviving_a_closed_pipe() -> Iterator[None]:
    """Nobody may be reading any more (`| head`): the run and its reports go on.

    Rich turns the closed pipe into `SystemExit` and keeps quiet from then on.
    """
    with contextlib.suppress(BrokenPipeError, SystemExit):
        yield


class Progress:
    """Listens to a run. `verbosity` is -1 for quiet, 1 for a line per test.

    The console is made at the first event: by then the worker has been started.
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
            case events.TestEnded() if self._verbosity > 0:
                self._print(_test_line(event))
            case events.PoolUsed():
                self._status.file = fold.file_result(event.path)
            case events.FileEnded() if self._verbosity >= 0:
                self._file_done(fold.file_result(event.path))
            case events.Quarantined() | events.WorkerSpent() | events.WorkerDown(path=str()) if (
                self._verbosity >= 0
            ):
                self._print(f"        {_worker_line(event)}", "magenta")

    def _start(self) -> None:
        console = self._console = self._make_console()
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

    facts = [words.weights(file), words.counts(file), words.seconds(file.duration_seconds)]
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
        case events.WorkerSpent():
            return f"{'worker':<8}replaced after {event.path}: {event.message}"
        case events.Quarantined():
            return f"{'error':<8}{event.path}: {len(event.tests)} tests {event.message}"
    return ""


def show_result(result: RunResult, console: "Console", verbosity: int = 0) -> None:
    """What went wrong, the table, and the totals."""
    if verbosity >= 0:
        _show_failures(result, console, verbosity)
        if result.files:
            console.print()
            console.print(table(result, console.width))
    _show_rest(result, console)
    code = result.exit_code
    style = "green" if code == 0 else "yellow" if code == 3 else "bold red"
    spent = words.seconds((result.ended_at or time.time()) - result.started_at)
    files = len(result.files)
    noun = "file" if files == 1 else "files"
    console.print(f"{words.counts(result)} in {files} {noun}, {spent}", style=style, soft_wrap=True)


def table(result: RunResult, width: int) -> "Table":
    """One row per file. A wide terminal shows path and model, a narrow one either."""
    from rich import box
    from rich.table import Table

    wide = width >= _WIDE
    headings = _WIDE_HEADINGS if wide else _NARROW_HEADINGS
    rows = [_row(file, wide) for file in result.files]
    names = 2 if wide else 1  # these columns give way
    taken = sum(
        2 + max(len(heading), *(cell.cell_len for cell in column))
        for heading, column in list(zip(headings, zip(*rows, strict=True), strict=True))[names:]
    )
    room = max(16, (width - taken - 2) // names - 2)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        number = heading in _NUMBERS
        grid.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        for cell in row[:names]:
            cell.plain = words.shortened(cell.plain, room)
        grid.add_row(*row)
    return grid


_WIDE_HEADINGS = (
    "file",
    "model",
    "outcome",
    "passed",
    "with",
    "time",
    "load",
    "MB planned",
    "peak",
    "left",
)
_NARROW_HEADINGS = ("file or model", "outcome", "passed", "with", "time", "MB peak")
_NUMBERS = {"passed", "time", "load", "MB planned", "peak", "left", "MB peak"}


def _row(file: FileResult, wide: bool) -> "list[Text]":
    from rich.text import Text

    memory, model = file.memory, file.model or ("-" if wide else file.path)
    outcome = Text(str(file.outcome), STYLES[file.outcome])
    tests = f"{file.counts[Outcome.PASSED]}/{len(file.tests)}"
    took = words.seconds(file.duration_seconds)
    means = [tests, words.weights(file) or "-", took]
    peak = words.megabytes(memory.peak_mb)
    if not wide:
        return [Text(words.printable(model)), outcome, *map(Text, (*means, peak))]
    load = words.seconds(file.load_seconds) if file.uses else "-"
    planned, left = words.megabytes(memory.predicted_mb), words.megabytes(memory.leaked_mb)
    names = [Text(words.printable(name)) for name in (file.path, model)]
    return [*names, outcome, *map(Text, (*means, load, planned, peak, left))]


def _show_failures(result: RunResult, console: "Console", verbosity: int) -> None:
    from rich.text import Text

    bad = [(file, test) for file in result.files for test in file.tests if test.outcome in BAD]
    for number, (file, test) in enumerate(bad):
        console.print()
        head = Text(f"{test.outcome.upper()} ", STYLES[test.outcome])
        head.append(words.printable(test.id), "bold")
        if file.weights or file.device:
            head.append(f"  {words.weights(file)}", "dim")
        console.print(head, soft_wrap=True)
        at_length = verbosity > 0 or number < _SHOWN_AT_LENGTH
        for line in _cause(test, at_length, verbosity > 0):
            console.print(Text(f"    {words.printable(line)}"), soft_wrap=True)


def _cause(test: TestResult, at_length: bool, everything: bool) -> Iterator[str]:
    message = (test.message or "").splitlines()
    details = (test.details or "").splitlines() if at_length else []
    shown = len(details) if everything else _SHOWN_LINES
    if not details or not set(message[:1]) & {_bare(line) for line in details}:
        yield from message[: max(shown, 5)]
    if len(details) > shown:
        yield f"[... {len(details) - shown} lines more in the report ...]"
        last_first = test.outcome in (Outcome.CRASHED, Outcome.TIMEOUT)
        details = details[:shown] if last_first else details[-shown:]
    yield from details
    output = (test.output or "").splitlines()
    if at_length and output:
        yield "printed:"
        yield from (f"  {line}" for line in (output if everything else output[-10:]))


def _bare(line: str) -> str:
    """A line of pytest's traceback without its "E   "."""
    return line.removeprefix("E").strip()


def _show_rest(result: RunResult, console: "Console") -> None:
    """What is neither a test's failure nor in the table, and must not be overlooked."""
    for line in _remarks(result):
        console.print(words.printable(line), style="yellow", markup=False, soft_wrap=True)


def _remarks(result: RunResult) -> Iterator[str]:
    yield from _grouped((file.path, file.degraded) for file in result.files)
    alone = ((file.path, file.message) for file in result.files if not file.quarantined)
    yield from _grouped(alone)
    for file in result.files:
        if file.left_behind:
            yield f"{file.path} left behind: {'; '.join(file.left_behind)}"
    if result.stopped:
        yield result.stopped
    if result.not_run:
        yield f"not run: {_some(result.not_run)}"


def _grouped(remarks: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """What is the same for several files is said once."""
    files: dict[str, list[str]] = {}
    for path, remark in remarks:
        if remark:
            files.setdefault(remark, []).append(path)
    for remark, paths in files.items():
        yield f"{_some(paths)}: {remark}"


def _some(paths: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(paths) - shown} more" if len(paths) > shown else ""
    return ", ".join(paths[:shown]) + more
