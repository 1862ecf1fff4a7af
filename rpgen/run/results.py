"""What came out of a run: a fold over its journal. Every report is made from these values."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.run import events
from rpgen.run.outcomes import (
    BAD,
    Attempt,
    FileMemory,
    FileResult,
    Outcome,
    RunResult,
    TestResult,
    of_attempts,
    worst,
)

__all__ = [
    "BAD",
    "Attempt",
    "FileMemory",
    "FileResult",
    "Fold",
    "Outcome",
    "RunResult",
    "TestResult",
    "fold",
    "worst",
]


@dataclass
class _File:
    """What the journal has said of a file so far."""

    path: str
    model: str | None = None
    family: str | None = None
    asked: str | None = None
    model_type: str | None = None
    tests: dict[str, TestResult] = field(default_factory=dict)
    started: bool = False
    ended: bool = False
    seconds: float = 0.0
    uses: tuple[Mapping[str, Any], ...] = ()
    load_seconds: float = 0.0  # of the workers that this file took down
    end: events.FileEnded | None = None
    told: events.ChecksTold | None = None
    deselected: int = 0
    collected: tuple[str, ...] | None = None
    quarantine: str | None = None


class Fold:
    """Takes the events of a run in order; `result` can be asked for at any time."""

    def __init__(self) -> None:
        self._start: events.RunStarted | None = None
        self._end: events.RunEnded | None = None
        self._files: dict[str, _File] = {}
        self._versions: Mapping[str, Any] = {}
        self._pool: Mapping[str, Any] | None = None

    def add(self, event: events.Event) -> None:
        match event:
            case events.RunStarted():
                self._start = event
                for facts in event.files:
                    self._files[facts["path"]] = _File(**facts)
            case events.WorkerReady():
                self._versions = event.versions
            case events.RunEnded():
                self._end = event
            case events.RunResumed():
                self._end = None
            case events.WorkerDown(path=str(path)):
                self._worker_down(self._file(path), event)
            case (
                events.FileStarted(path=path)
                | events.Collected(path=path)
                | events.TestEnded(path=path)
                | events.PoolUsed(path=path)
                | events.ChecksTold(path=path)
                | events.FileEnded(path=path)
                | events.Quarantined(path=path)
            ):
                self._add_to_file(self._file(path), event)

    def _file(self, path: str) -> _File:
        return self._files.setdefault(path, _File(path))

    def _add_to_file(self, file: _File, event: events.Event) -> None:
        match event:
            case events.FileStarted():
                file.started = True
                file.load_seconds += _load_seconds(file.uses)
                file.uses = ()
            case events.Collected():
                file.collected, file.deselected = event.tests, event.deselected
            case events.PoolUsed():
                file.uses = event.uses
            case events.ChecksTold():
                file.told = event
            case events.TestEnded():
                _add_attempt(file, event.test, event, Outcome(event.outcome))
            case events.FileEnded():
                file.ended, file.end = True, event
                file.seconds += event.duration_seconds
                self._pool = event.pool or self._pool
            case events.Quarantined():
                file.quarantine = event.message
                for test in event.tests:
                    file.tests.setdefault(test, TestResult(test, Outcome.ERROR, 0.0, event.message))

    def _worker_down(self, file: _File, event: events.WorkerDown) -> None:
        file.seconds += event.duration_seconds
        _add_attempt(file, event.test or file.path, event, Outcome(event.cause))

    def file_result(self, path: str) -> FileResult:
        """The result of one file so far."""
        return _finish(self._file(path))

    def collected(self, path: str) -> tuple[str, ...] | None:
        """The tests of a file, None where it was not imported yet."""
        return self._file(path).collected

    def has_ended(self, path: str) -> bool:
        return self._file(path).ended

    def result(self) -> RunResult:
        start, end = self._start, self._end
        stopped = end.stopped if end else "the run did not end by itself, or is still going on"
        return RunResult(
            run=start.run if start else "",
            started_at=start.time if start else 0.0,
            ended_at=end.time if end else None,
            files=tuple(_finish(file) for file in self._files.values() if file.started),
            not_run=tuple(file.path for file in self._files.values() if not file.started),
            stopped=stopped,
            interrupted=bool(end and end.interrupted),
            pool=self._pool,
            host=start.host if start else {},
            versions={"rpgen": start.rpgen if start else None, **self._versions},
            options=start.options if start else {},
        )


def _add_attempt(
    file: _File, test: str, event: events.TestEnded | events.WorkerDown, outcome: Outcome
) -> None:
    attempt = Attempt(
        event.round,
        event.attempt,
        outcome,
        event.duration_seconds,
        event.message,
        event.details,
        event.output,
    )
    known = file.tests.get(test)
    file.tests[test] = known.again(attempt) if known else of_attempts(test, (attempt,))


def fold(journal: Iterable[events.Event]) -> RunResult:
    folding = Fold()
    for event in journal:
        folding.add(event)
    return folding.result()


def _finish(file: _File) -> FileResult:
    tests = tuple(file.tests.values())
    return FileResult(
        path=file.path,
        model=file.model,
        family=file.family,
        outcome=worst(test.outcome for test in tests),
        duration_seconds=file.seconds,
        tests=tests,
        device=_joined(_where(file.uses), "device"),
        dtype=_joined(file.uses, "dtype"),
        weights=_joined(file.uses, "weights"),
        load_seconds=file.load_seconds + _load_seconds(file.uses),
        memory=FileMemory(
            predicted_mb=_sum(use.get("predicted_mb") for use in file.uses),
            peak_mb=file.end.peak_mb if file.end else None,
            leaked_mb=file.end.leaked_mb if file.end else None,
        ),
        degraded=_joined(file.uses, "degraded", "; "),
        message=file.quarantine or _about(file),
        quarantined=file.quarantine is not None,
        left_behind=file.end.left_behind if file.end else (),
        uses=file.uses,
        asked=file.asked,
        backend=next((use["backend"] for use in file.uses if use.get("backend")), None),
        level=file.told.level if file.told else None,
        level_reason=file.told.reason if file.told else None,
        remarks=file.told.remarks if file.told else (),
        model_type=file.model_type,
        difference=file.told.difference if file.told else None,
        difference_in=file.told.difference_in if file.told else None,
    )


def _about(file: _File) -> str | None:
    if file.collected is None:
        return None
    missing = len(set(file.collected) - set(file.tests))
    if missing and file.ended:
        return f"{missing} of its {len(file.collected)} tests were not run"
    if file.tests or file.collected:
        return None
    if file.deselected:
        return f"none of its tests was selected ({file.deselected})"
    return "there is no test in it"


def _where(uses: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """A model that a backend computes is there, wherever torch has its weights."""
    for use in uses:
        backend = use.get("backend")
        yield {**use, "device": backend["target"]} if backend else use


def _load_seconds(uses: Iterable[Mapping[str, Any]]) -> float:
    """What this file waited for; a model that an earlier file loaded cost it nothing."""
    return sum(use.get("load_seconds") or 0.0 for use in uses if not use.get("hit"))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _joined(uses: Iterable[Mapping[str, Any]], name: str, between: str = ", ") -> str | None:
    """The different values of a file's models, usually one; None where there is none."""
    values = dict.fromkeys(str(use[name]) for use in uses if use.get(name) is not None)
    return between.join(values) or None
