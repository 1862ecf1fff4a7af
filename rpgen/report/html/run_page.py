"""The page of one run: what each of its parts shows, as plain values for the template."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rpgen.report import backends, words
from rpgen.report.html.chart import Chart, Lane, charts, lanes, time_ticks
from rpgen.report.html.render import render
from rpgen.report.pool_keys import read_key
from rpgen.report.problems import Problem, once_a_cause, problems
from rpgen.report.timeline import Change, Timeline
from rpgen.run.results import BAD, FileResult, Outcome, RunResult

TEXT_LIMIT = 20_000  # characters of one traceback or output
ALL_TEXT_LIMIT = 4_000_000  # of all of them: a page that no browser opens helps nobody
OPEN_PROBLEMS = 10
SHOWN_CHANGES = 2000
UNTOLD = ("worker started", "worker ended")
NO_MODEL = "files without a model"


@dataclass(frozen=True)
class FileView:
    """One file; `number` makes its anchors, `bar` is its memory drawn beside the figures."""

    number: int
    file: FileResult
    tests: str
    problem_anchors: Mapping[str, str]
    bar: "MemoryBar | None"
    notes: tuple[str, ...]
    uses: tuple["UseView", ...]

    @property
    def anchor(self) -> str:
        return f"file-{self.number}"

    @property
    def rank(self) -> int:
        """For sorting: the worst outcome first."""
        return -list(Outcome).index(self.file.outcome)


@dataclass(frozen=True)
class MemoryBar:
    """Percent of the largest need in the run."""

    measured: float
    predicted: float | None


@dataclass(frozen=True)
class ProblemView:
    number: int
    problem: Problem
    file_anchor: str
    message: str
    details: str
    output: str
    opened: bool

    @property
    def anchor(self) -> str:
        return f"problem-{self.number}"


@dataclass(frozen=True)
class Cell:
    """What came out for one model on one device; `files` have the links."""

    outcome: Outcome
    text: str
    files: tuple[FileView, ...]


@dataclass(frozen=True)
class UseView:
    """What a file got from the pool: its name, and how it got it."""

    key: str
    name: str
    told: str


@dataclass(frozen=True)
class ChangeView:
    """A row of what came and went: who it is about, and what no other column says of it."""

    change: Change
    name: str
    why: str


def page(result: RunResult, line: Timeline, beside: Iterable[str] = ()) -> str:
    """The whole page; `beside` are names of files in its folder that it may link to."""
    found = once_a_cause(problems(result))
    problem_anchors = {each.test.id: f"problem-{n}" for n, each in enumerate(found, 1)}
    problem_anchors |= {
        other: f"problem-{n}" for n, each in enumerate(found, 1) for other in each.others
    }
    files = _files(result, problem_anchors)
    anchors = {view.file.path: view.anchor for view in files}
    counts = result.counts
    devices, rows = _by_model(files)
    told = [change for change in line.changes if change.kind not in UNTOLD]
    drawn: tuple[Chart, ...] = charts(line)
    strips: tuple[Lane, ...] = lanes(line, {v.file.path: v.file.outcome for v in files})
    return render(
        "run.html.j2",
        {
            "title": f"rpgen: {words.counts(result)}",
            "result": result,
            "verdict": _verdict(result),
            "counts": [(each, counts[each]) for each in Outcome if counts[each]],
            "total": counts.total(),
            "headline": list(_headline(result)),
            "started": _moment(result.started_at),
            "problems": list(_problems(found, anchors)),
            "flaky": [
                (view, test, words.attempts(test)) for view in files for test in view.file.flaky
            ],
            "devices": devices,
            "models": rows,
            "files": files,
            "anchors": anchors,
            "charts": drawn,
            "lanes": strips,
            "ticks": time_ticks(line.seconds),
            "changes": [_change(change) for change in told[:SHOWN_CHANGES]],
            "changes_left_out": max(0, len(told) - SHOWN_CHANGES),
            "loads": _loads(line.changes),
            "hits": sum(bool(use.get("hit")) for file in result.files for use in file.uses),
            "facts": list(_facts(result)),
            "beside": tuple(beside),
        },
    )


def _verdict(result: RunResult) -> tuple[str, str]:
    """A class for its colour, and the sentence at the top."""
    counts = result.counts
    bad = sum(counts[outcome] for outcome in BAD)
    total = f"{words.counted(counts.total(), 'test')} in {words.counted(len(result.files), 'file')}"
    if result.ended_at is None:
        return "unknown", f"This run did not end; {bad} of {total} went wrong until then"
    if bad:
        return "failed", f"{bad} of {total} went wrong"
    if result.interrupted:
        return "unknown", f"Interrupted; nothing went wrong in {total} until then"
    if counts[Outcome.PASSED]:
        return "passed", f"Nothing went wrong in {total}{words.flaky(result)}"
    return "skipped", f"No test passed: {words.counts(result)} in {total}"


def _headline(result: RunResult) -> Iterator[str]:
    if result.ended_at is not None:
        yield f"took {words.seconds(result.ended_at - result.started_at)}"
    if levels := words.levels(result):
        yield levels
    if result.host.get("name"):
        yield f"on {result.host['name']}"
    for name in ("torch", "transformers", "python"):
        if result.versions.get(name):
            yield f"{name} {result.versions[name]}"


def _moment(seconds: float) -> tuple[str, str]:
    """For machines, and for people: in the time of this machine, which may not be the reader's."""
    moment = datetime.datetime.fromtimestamp(seconds).astimezone()
    return moment.isoformat(timespec="seconds"), f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def _files(result: RunResult, problem_anchors: Mapping[str, str]) -> list[FileView]:
    needs = [
        size
        for file in result.files
        for size in (file.memory.predicted_mb, file.memory.peak_mb)
        if size is not None
    ]
    most = max(needs, default=0.0)
    return [
        FileView(
            number,
            file,
            f"{file.counts[Outcome.PASSED]}/{len(file.tests)}",
            problem_anchors,
            _bar(file, most),
            tuple(_notes(file)),
            tuple(map(_use, file.uses)),
        )
        for number, file in enumerate(result.files, 1)
    ]


def _bar(file: FileResult, most: float) -> MemoryBar | None:
    memory = file.memory
    if not most or memory.peak_mb is None or not file.uses:
        return None
    predicted = memory.predicted_mb
    return MemoryBar(
        round(memory.peak_mb / most * 100, 1),
        None if predicted is None else round(predicted / most * 100, 1),
    )


def _notes(file: FileResult) -> Iterator[str]:
    if file.degraded:
        yield file.degraded
    if file.message:
        yield file.message
    if file.level:
        yield f"checks at the {file.level} level, {file.level_reason}"
    if sentence := backends.told(file):
        yield sentence
    yield from file.remarks
    if file.left_behind:
        yield f"left behind: {'; '.join(file.left_behind)}"


def _problems(found: Sequence[Problem], anchors: Mapping[str, str]) -> Iterator[ProblemView]:
    left = ALL_TEXT_LIMIT
    for number, problem in enumerate(found, 1):
        limit = min(TEXT_LIMIT, left)
        details = shortened(problem.test.details or "", limit)
        output = shortened(problem.test.output or "", limit)
        left = max(0, left - len(details) - len(output))
        message = shortened(problem.message, TEXT_LIMIT if left else 500)
        if details:  # which has the rest of it
            message = message.strip().partition("\n")[0]
        yield ProblemView(
            number,
            problem,
            anchors[problem.file.path],
            message,
            "" if details.strip() == message else details,
            output,
            number <= OPEN_PROBLEMS,
        )


def shortened(text: str, limit: int) -> str:
    """The beginning and the end of a long text, and how much is missing between them."""
    if len(text) <= limit:
        return text
    half = limit // 2
    note = f"\n[... {len(text) - 2 * half} characters more in report.json ...]\n"
    return text[:half] + note + (text[-half:] if half else "")


def _by_model(files: Sequence[FileView]) -> tuple[list[str], list[tuple[str, list[Cell | None]]]]:
    """Devices, and for each model a cell per device."""
    groups: dict[str, dict[str, list[FileView]]] = defaultdict(lambda: defaultdict(list))
    for view in files:
        device = view.file.asked or view.file.device or "no device"
        groups[view.file.model or NO_MODEL][device].append(view)
    devices = sorted({device for row in groups.values() for device in row})
    rows = [
        (model, [_cell(row[device]) if device in row else None for device in devices])
        for model, row in groups.items()
    ]
    return devices, sorted(rows, key=lambda row: (row[0] == NO_MODEL, row[0].lower()))


def _cell(views: Sequence[FileView]) -> Cell:
    outcomes = [view.file.outcome for view in views]
    tests = [test for view in views for test in view.file.tests]
    passed = sum(test.outcome == Outcome.PASSED for test in tests)
    means = ", ".join(
        dict.fromkeys(
            " ".join(part for part in (view.file.weights, view.file.dtype) if part)
            for view in views
            if view.file.weights
        )
    )
    text = f"{passed}/{len(tests)}" + (f", {means}" if means else "")
    if len(views) == 1 and (views[0].file.backend or backends.asked_target(views[0].file)):
        text = backends.cell(views[0].file)
    return Cell(max(outcomes, key=list(Outcome).index), text, tuple(views))


def _use(use: Mapping[str, Any]) -> UseView:
    means = [str(use[name]) for name in ("device", "dtype", "weights") if use.get(name)]
    named = read_key(use["key"])
    got = f"loaded in {words.seconds(use.get('load_seconds') or 0.0)}"
    if use.get("hit"):
        got = "was already there"
    if use.get("measured_mb") is not None:
        got += f", {words.memory(use['measured_mb'])}"
    what = ", ".join(part for part in (named.beside(*means), *means) if part)
    return UseView(use["key"], named.name, f"{what}: {got}")


def _change(change: Change) -> ChangeView:
    reason = change.reason or ""
    if change.kind not in ("loaded", "evicted"):
        return ChangeView(change, "" if reason else change.what, reason)
    named = read_key(change.what)
    beside = named.beside(change.device, change.dtype, change.weights)
    return ChangeView(change, named.name, " · ".join(part for part in (beside, reason) if part))


def _loads(changes: Iterable[Change]) -> tuple[int, float, int]:
    """How many loads, the seconds they took, and how many models were let go."""
    all_changes = list(changes)
    loads = [change for change in all_changes if change.kind == "loaded"]
    evicted = sum(change.kind == "evicted" for change in all_changes)
    return len(loads), sum(change.seconds or 0.0 for change in loads), evicted


def _facts(result: RunResult) -> Iterator[tuple[str, str]]:
    yield "run", result.run
    for title, values in (("", result.host), ("", result.versions), ("option ", result.options)):
        for name, value in values.items():
            if value not in (None, "", [], {}, False):
                yield f"{title}{name}".replace("_", " "), _said(value)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_said(item) for item in value)
    return str(value)
