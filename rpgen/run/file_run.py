"""One file's turn in the worker: what it does is written down, what it changed is put back."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rpgen.placement.preferences import ENVIRONMENT, REQUIRE
from rpgen.run import events, measure
from rpgen.run.channel import RunFile, Settings
from rpgen.run.guard import StateGuard
from rpgen.run.journal import Journal
from rpgen.run.outcomes import BAD, Outcome
from rpgen.run.output import position, printed_since
from rpgen.run.owner import FileOwner, loaded_pool
from rpgen.run.request import with_device
from rpgen.run.rounds import Turn
from rpgen.run.surroundings import ClassAttributes, Surroundings, forget_modules
from rpgen.run.told import reset_told, told_by_checks
from rpgen.run.verdict import (
    DETAILS_LIMIT,
    MESSAGE_LIMIT,
    Verdict,
    crash_message,
    judge,
    shorten,
    skip_reason,
)


class FileRun:
    """Made for one file; its methods are called in the order in which they stand here."""

    def __init__(
        self, command: RunFile, settings: Settings, journal: Journal, guard: StateGuard
    ) -> None:
        self._guard = guard
        self.name = command.name
        self.deselected = 0
        self.bad = 0
        self._path = Path(command.path)
        self._parents = frozenset(self._path.parents)
        self._settings = settings
        self._journal = journal
        self._device = command.device
        self._owner = FileOwner(command.path)
        self._upcoming = command.upcoming, command.upcoming_files
        self._told: set[str] = set()
        self._reports: list[Any] = []
        self._interruption: str | None = None
        self._test = ""
        self._output_from = 0
        self._uses: tuple[dict[str, Any], ...] = ()
        self._checks_told = events.ChecksTold(path=self.name, time=0.0)
        self._causes: dict[str, str] = {}  # of failed set-ups: message to the first test's id

    def start(self) -> None:
        self._began = time.perf_counter()
        self._journal.append(events.FileStarted(path=self.name, worker=self._settings.worker))
        self._wished = os.environ.get(ENVIRONMENT)
        if self._device is not None:
            required = bool(os.environ.get(REQUIRE))
            os.environ[ENVIRONMENT] = with_device(self._wished, self._device, required)
        self._surroundings = Surroundings.now()
        self._modules = dict(sys.modules)
        sys.path.insert(0, str(self._path.parent))  # as for `python FILE`: helpers beside it
        self._guard.file_starts()
        reset_told()
        self._owner.enter()
        self._owner.announce(*self._upcoming)
        self._held = measure.held_mb(_pool_stats())
        if (pool := loaded_pool()) is not None:
            pool.monitor.reset_peaks()
        self._memory = measure.start_measuring()
        self._output_from = position()

    def conftest_loaded(self) -> None:
        """What a folder's conftest sets while it is imported is for all files of the folder."""
        now = Surroundings.now()
        with contextlib.suppress(ValueError):  # the conftest may have removed it
            now.search_path.remove(str(self._path.parent))
        self._surroundings = replace(now, threads=self._surroundings.threads)

    def is_or_contains_this(self, path: Path) -> bool:
        return path == self._path or path in self._parents

    def id_of(self, item: Any) -> str:
        """The test's id with the file called as the person called it."""
        names = [node.name for node in item.listchain() if not _is_above_tests(node)]
        return "::".join([self.name, *names])

    def collect_report(self, report: Any) -> None:
        """pytest's report on importing the file, a folder's conftest or a class."""
        if report.passed:
            return
        test = "::".join([self.name, *report.nodeid.split("::")[1:]])
        if report.skipped:
            verdict = Verdict(Outcome.SKIPPED, skip_reason(report.longrepr))
        else:
            details = shorten(str(report.longreprtext), DETAILS_LIMIT)
            verdict = Verdict(Outcome.ERROR, crash_message(report), details, "collect")
        self._trouble(test, verdict)

    def trouble(self, message: str) -> None:
        """The file as a whole could not be run; what pytest reported before says it better."""
        if self.name in self._told:
            return
        self._trouble(self.name, Verdict(Outcome.ERROR, message, phase="collect"))

    def _trouble(self, test: str, verdict: Verdict) -> None:
        """What is no test's own result."""
        self.bad += verdict.outcome in BAD
        self._told.add(test)
        self._write(test, verdict, 0.0, Turn())

    def collected(self, items: Sequence[Any]) -> None:
        self._owner.enter()  # importing the file may have brought the pool
        self._guard.imported()
        self._attributes = ClassAttributes(_classes_of(items))
        tests = tuple(self.id_of(item) for item in items)
        self._journal.append(
            events.Collected(path=self.name, tests=tests, deselected=self.deselected)
        )

    def again(self) -> None:
        """The tests, or some of them, begin once more: from where they began the first time."""
        self._attributes.restore()
        self._causes.clear()

    def test_starts(self, item: Any, turn: Turn) -> None:
        self._owner.enter()
        self._test, self._turn = self.id_of(item), turn
        self._reports.clear()
        self._interruption = None
        self._output_from = position()
        self._journal.append(
            events.TestStarted(
                path=self.name,
                test=self._test,
                output_from=self._output_from,
                round=turn.round,
                attempt=turn.attempt,
            )
        )

    def test_report(self, report: Any) -> None:
        self._reports.append(report)

    def interrupted_by(self, message: str) -> None:
        """The test raised what pytest takes as an order to stop; here it only costs the test."""
        self._interruption = message

    def test_ends(self) -> bool:
        """Write the outcome down; whether it is a good one."""
        seconds = sum(report.duration for report in self._reports if _is_phase(report))
        if self._interruption is not None:
            verdict = Verdict(Outcome.FAILED, self._interruption)
        else:
            verdict = self._once_at_length(judge(self._reports))
        self._note_uses()
        self._write(self._test, verdict, seconds, self._turn)
        self._reports.clear()
        return verdict.outcome not in BAD

    def worker_spent(self, message: str) -> None:
        """The last words of a worker that can't go on with this file, nor with any other."""
        self._journal.append(
            events.WorkerSpent(worker=self._settings.worker, path=self.name, message=message)
        )

    def _once_at_length(self, verdict: Verdict) -> Verdict:
        """A set-up that fails for a whole class is told once; the others point to it."""
        if verdict.phase != "setup" or verdict.message is None:
            return verdict
        first = self._causes.setdefault(verdict.message, self._test)
        if first == self._test:
            return verdict
        brief = verdict.message.splitlines()[0]
        return replace(verdict, message=f"{brief} (as for {first})", details=None)

    def _note_uses(self) -> None:
        uses = self._owner.uses()
        if uses != self._uses:
            self._uses = uses
            self._journal.append(events.PoolUsed(path=self.name, uses=uses))
        told = events.ChecksTold(path=self.name, time=0.0, **told_by_checks())
        if told != self._checks_told:
            self._checks_told = told
            self._journal.append(replace(told, time=time.time()))

    def _write(self, test: str, verdict: Verdict, seconds: float, turn: Turn) -> None:
        bad = verdict.outcome in BAD
        message = verdict.message
        self._journal.append(
            events.TestEnded(
                path=self.name,
                test=test,
                outcome=verdict.outcome,
                duration_seconds=round(seconds, 6),
                message=None if message is None else shorten(message, MESSAGE_LIMIT),
                details=verdict.details,
                output=printed_since(self._output_from, self._settings.log) if bad else None,
                round=turn.round,
                attempt=turn.attempt,
            )
        )

    def end(self) -> None:
        """Let go of everything, clean up, and say what that left."""
        self._note_uses()
        uses = self._uses
        self._attributes.restore()
        self._reports.clear()
        modules = forget_modules(str(self._path), self._modules)
        self._modules.clear()
        left_behind = (*self._surroundings.restore(), *modules, *self._guard.file_ends())
        if self._device is not None:
            _set_environment(ENVIRONMENT, self._wished)
        pool = loaded_pool()
        peak = measure.read_memory(sampled=pool.monitor.peaks() if pool else None)
        peak_mb = measure.needed_mb(self._memory, peak, uses)
        if pool is not None and peak_mb is not None and not self.bad and not self.deselected:
            pool.note_peak(self._owner.name, peak_mb)  # the next run's prediction
        self._owner.leave(self._settings.cleanup_age)
        if pool is not None:
            import gc

            gc.collect()  # what failures and classes kept hangs together in cycles
        stats = _pool_stats()
        after = measure.read_memory()
        leaked = measure.leaked_mb(
            self._memory, after, self._held, measure.held_mb(stats), measure.device_of(uses)
        )
        self._heed_leak(leaked, measure.device_of(uses))
        self._journal.append(
            events.FileEnded(
                path=self.name,
                worker=self._settings.worker,
                duration_seconds=round(time.perf_counter() - self._began, 6),
                peak_mb=peak_mb,
                leaked_mb=leaked,
                left_behind=left_behind,
                pool=stats,
            )
        )

    def _heed_leak(self, leaked_mb: float | None, device: str) -> None:
        limit = self._settings.fail_on_leak
        if limit is not None and leaked_mb is not None and leaked_mb > limit:
            message = f"it left {leaked_mb:.0f} MB behind on {device}, and may leave {limit:g} MB"
            self._trouble(self.name, Verdict(Outcome.FAILED, message))


def _set_environment(name: str, value: str | None) -> None:
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value


def _pool_stats() -> dict[str, Any] | None:
    pool = loaded_pool()
    return dict(pool.get_stats()) if pool is not None else None


def _is_above_tests(node: Any) -> bool:
    return isinstance(node, pytest.Session | pytest.Directory | pytest.File)


def _is_phase(report: Any) -> bool:
    """A subtest's time is also in the report on its test."""
    return not hasattr(report, "_sub_test_description")


def _classes_of(items: Sequence[Any]) -> set[type]:
    """The test classes, and the bases that come from the same file."""
    found = set()
    for cls in {item.cls for item in items if getattr(item, "cls", None) is not None}:
        found |= {base for base in cls.__mro__ if base.__module__ == cls.__module__}
    return found
