"""A finished run on the terminal: what went wrong, a table, and the totals."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rpgen.report import backends, words
from rpgen.report.problems import Problem, once_a_cause, problems
from rpgen.report.progress import STYLES
from rpgen.run.results import BAD, FileResult, Outcome, RunResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_WIDE = 110
_SHOWN_AT_LENGTH = 10
_SHOWN_LINES = 30
_NAMED = 3


def show_result(result: RunResult, console: "Console", verbosity: int = 0) -> None:
    """What went wrong, the table, and the totals."""
    if verbosity >= 0:
        _show_failures(result, console, verbosity)
        if result.files:
            console.print()
            console.print(table(result, console.width))
        _show_backends(result, console)
    _show_rest(result, console)
    if verbosity >= 0 and (levels := words.levels(result)):
        console.print(levels, style="dim", highlight=False, soft_wrap=True)
    code = result.exit_code
    style = "green" if code == 0 else "yellow" if code == 3 else "bold red"
    spent = words.seconds((result.ended_at or time.time()) - result.started_at)
    files = words.counted(len(result.files), "file")
    told = f"{words.counts(result)}{words.flaky(result)}"
    console.print(f"{told} in {files}, {spent}", style=style, soft_wrap=True)


def table(result: RunResult, width: int) -> "Table":
    """One row per file. A wide terminal shows path and model, a narrow one either."""
    from rich import box
    from rich.table import Table

    wide = width >= _WIDE
    headings = _WIDE_HEADINGS if wide else _NARROW_HEADINGS
    rows = [_row(file, wide) for file in result.files]
    columns = list(zip(headings, zip(*rows, strict=True), strict=True))
    widths = [max(len(title), *(cell.cell_len for cell in cells)) for title, cells in columns]
    names = 2 if wide else 1  # these columns give way
    rooms = _rooms(widths[:names], width - 2 - sum(2 + each for each in widths[names:]))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        number = heading in _NUMBERS
        grid.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        for cell, room in zip(row, rooms, strict=False):
            cell.plain = words.shortened(cell.plain, room)
        grid.add_row(*row)
    return grid


def _show_backends(result: RunResult, console: "Console") -> None:
    """Each file on each device, and what computed where torch did not."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    matrix = backends.by_device(result)
    if matrix is not None:
        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for heading in ("file", *matrix.devices):
            grid.add_column(heading, overflow="fold")
        for name, files in matrix.rows:
            cells = (Text(backends.cell(file), _style(file)) for file in files)
            grid.add_row(Text(words.printable(name)), *cells)
        console.print(grid)
    for file in result.files:
        if sentence := backends.told(file):
            said = Text(words.printable(f"{file.path}: {sentence}"), "dim")
            console.print(said, soft_wrap=True)


def _style(file: FileResult | None) -> str:
    return STYLES[file.outcome] if file else "dim"


def _rooms(wanted: Sequence[int], width: int) -> list[int]:
    """How wide columns may be that want `wanted` and have `width`: what one leaves is the next's.

    >>> _rooms([40, 20], 60), _rooms([40, 40], 60)
    ([36, 20], [28, 28])
    """
    left, rooms = width, {}
    narrow_first = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for done, index in enumerate(narrow_first):
        share = max(16, left // (len(wanted) - done) - 2)
        rooms[index] = min(wanted[index], share)
        left -= rooms[index] + 2
    return [rooms[index] for index in range(len(wanted))]


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

    found = problems(result)
    for number, problem in enumerate(found if verbosity else once_a_cause(found)):
        file, test = problem.file, problem.test
        console.print()
        head = Text(f"{test.outcome.upper()} ", STYLES[test.outcome])
        head.append(words.printable(test.id), "bold")
        if file.weights or file.device:
            head.append(f"  {words.weights(file)}", "dim")
        console.print(head, soft_wrap=True)
        at_length = verbosity > 0 or number < _SHOWN_AT_LENGTH
        for line in _cause(problem, at_length, verbosity > 0):
            console.print(Text(f"    {words.printable(line)}"), soft_wrap=True)


def _cause(problem: Problem, at_length: bool, everything: bool) -> Iterator[str]:
    test = problem.test
    message = problem.message.splitlines()
    if problem.others:
        message.append(f"and {len(problem.others)} more with the same set-up")
    tell = at_length and (everything or not problem.says_it_all)
    details = (test.details or "").splitlines() if tell else []
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
    told = ((file.path, remark) for file in result.files for remark in words.remarks(file))
    yield from _grouped(told)
    for test in (test for file in result.files for test in file.flaky):
        good = sum(attempt.outcome not in BAD for attempt in test.attempts)
        yield f"flaky: {test.id} went well in {good} of {len(test.attempts)} attempts"
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


def _some(paths: Sequence[str]) -> str:
    left = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {left} more" if left > 0 else "")
