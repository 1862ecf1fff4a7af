"""The last run beside those before it: what fails newly, what got slower, what takes more.

Only like is compared with like: the same file on the same host, device, precision and kind of
weights. A figure is worse where it lies clearly above the median of the earlier ones *and*
above all of them, by a share and by an amount: one busy moment of a machine is no regression.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from rpgen.history.records import FileRecord, RunRecord
from rpgen.run.results import BAD, Outcome

COMPARED = 10  # earlier results of a file that count
ENOUGH = 3  # fewer say nothing about what is usual
SLOWER = 1.5  # times the median
SLOWER_SECONDS = 1.0
MORE = 1.2
MORE_MB = 50.0


class Kind(StrEnum):
    NEWLY_FAILING = "newly failing"
    SLOWER = "slower"
    MORE_MEMORY = "more memory"
    MENDED = "mended"

    @property
    def is_worse(self) -> bool:
        return self is not Kind.MENDED


@dataclass(frozen=True)
class Finding:
    """`what` is a test's id or a file's path; `since` is the run it was compared with.

    `changed` has the versions that differ between the two runs: ("torch 2.12.0", "2.13.0").
    """

    kind: Kind
    what: str
    model: str | None
    device: str | None
    before: str
    now: str
    since: str
    changed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Trend:
    """One file over the runs, oldest first; None where a run did not have it or measure it."""

    path: str
    model: str | None
    device: str | None
    outcomes: tuple[str | None, ...]
    seconds: tuple[float | None, ...]
    peak_mb: tuple[float | None, ...]


@dataclass(frozen=True)
class _Earlier:
    run: RunRecord
    file: FileRecord


def findings(runs: Sequence[RunRecord]) -> tuple[Finding, ...]:
    """What is different in the last of `runs` (oldest first), the worse first."""
    if len(runs) < 2:
        return ()
    last = runs[-1]
    earlier: dict[str, list[_Earlier]] = {}
    for run in runs[:-1]:
        if run.host == last.host:
            for file in run.files:
                earlier.setdefault(file.path, []).append(_Earlier(run, file))
    found = [
        finding
        for file in last.files
        for finding in _of_file(
            file, last, [each for each in earlier.get(file.path, ()) if each.file.is_like(file)]
        )
    ]
    order = list(Kind)
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


def _of_file(file: FileRecord, last: RunRecord, earlier: Sequence[_Earlier]) -> Iterator[Finding]:
    yield from _of_tests(file, last, earlier)
    good = [each for each in earlier if each.file.outcome not in BAD][-COMPARED:]
    if file.outcome in BAD or len(good) < ENOUGH:
        return
    since = good[-1].run
    changed = _changed(since, last)

    def finding(kind: Kind, before: str, now: str) -> Finding:
        return Finding(kind, file.path, file.model, file.device, before, now, since.run, changed)

    times = [each.file.seconds for each in good]
    if _is_worse(file.seconds, times, SLOWER, SLOWER_SECONDS):
        yield finding(Kind.SLOWER, f"{median(times):.1f} s", f"{file.seconds:.1f} s")
    sizes = [each.file.peak_mb for each in good if each.file.peak_mb is not None]
    if file.peak_mb is None or len(sizes) < ENOUGH:
        return
    if _is_worse(file.peak_mb, sizes, MORE, MORE_MB):
        yield finding(Kind.MORE_MEMORY, f"{median(sizes):.0f} MB", f"{file.peak_mb:.0f} MB")


def _is_worse(now: float, before: Sequence[float], share: float, amount: float) -> bool:
    usual = median(before)
    return now > usual * share and now > usual + amount and now > max(before)


def _of_tests(file: FileRecord, last: RunRecord, earlier: Sequence[_Earlier]) -> Iterator[Finding]:
    """Each test beside the last earlier run that had it and neither skipped nor lost it."""
    known: dict[str, tuple[str, RunRecord]] = {}
    for each in earlier:
        for test in each.file.tests:
            if test.outcome != Outcome.SKIPPED:
                known[test.id] = (test.outcome, each.run)
    for test in file.tests:
        if test.id not in known:
            continue
        before, run = known[test.id]
        if before == Outcome.PASSED and test.outcome in BAD:
            kind = Kind.NEWLY_FAILING
        elif before in BAD and test.outcome == Outcome.PASSED:
            kind = Kind.MENDED
        else:
            continue
        changed = _changed(run, last)
        now = f"{test.outcome}: {test.message}" if test.message else test.outcome
        yield Finding(kind, test.id, file.model, file.device, before, now, run.run, changed)


def _changed(before: RunRecord, now: RunRecord) -> tuple[tuple[str, str], ...]:
    """The versions that differ: what one would suspect first."""
    return tuple(
        (f"{name} {before.versions.get(name, 'none')}", str(now.versions.get(name, "none")))
        for name in dict.fromkeys((*before.versions, *now.versions))
        if before.versions.get(name) != now.versions.get(name)
    )


def trends(runs: Sequence[RunRecord]) -> tuple[Trend, ...]:
    """The files of the last run, each over all runs on the same host."""
    if not runs:
        return ()
    like = [run for run in runs if run.host == runs[-1].host]
    tables = [{file.path: file for file in run.files} for run in like]
    return tuple(_trend(file, tables) for file in runs[-1].files)


def _trend(file: FileRecord, tables: Sequence[Mapping[str, FileRecord]]) -> Trend:
    found = [table.get(file.path) for table in tables]
    row = [each if each and each.is_like(file) else None for each in found]
    return Trend(
        file.path,
        file.model,
        file.device,
        tuple(each.outcome if each else None for each in row),
        tuple(each.seconds if each else None for each in row),
        tuple(each.peak_mb if each else None for each in row),
    )
