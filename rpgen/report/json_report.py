"""The JSON report, schema 1, from a run's result. `schema_1.json` beside this describes it."""

import datetime
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from rpgen.report import backends
from rpgen.report.files import write_text
from rpgen.run.results import BAD, Attempt, FileResult, Outcome, RunResult, TestResult

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name("schema_1.json")


class Summary(TypedDict):
    files: int
    tests: int
    passed: int
    failed: int
    skipped: int
    crashed: int
    timeout: int
    errors: int


class AttemptEntry(TypedDict):
    """One run of a test: the `attempt`-th of `--reruns` in the `round`-th of `--repeat`."""

    round: int
    attempt: int
    outcome: str
    duration_seconds: float
    message: str | None


class TestEntry(TypedDict):
    """`details` (the traceback) and `output` stand only beside a bad outcome, `flaky` and
    `attempts` only where a test was run more than once."""

    id: str
    outcome: str
    duration_seconds: float
    message: str | None
    flaky: NotRequired[bool]
    attempts: NotRequired[list[AttemptEntry]]
    details: NotRequired[str | None]
    output: NotRequired[str | None]


class Memory(TypedDict):
    predicted_mb: float | None
    peak_mb: float | None
    leaked_mb: float | None


class FileEntry(TypedDict):
    path: str
    model: str | None
    family: str | None
    device: str | None
    dtype: str | None
    weights: str | None
    level: str | None
    level_reason: str | None
    outcome: str
    duration_seconds: float
    load_seconds: float
    memory: Memory
    degraded: str | None
    message: str | None
    quarantined: bool
    left_behind: list[str]
    remarks: list[str]
    asked: str | None
    backend: dict[str, Any] | None
    tests: list[TestEntry]


class Report(TypedDict):
    schema: int
    run: str
    started_at: str
    ended_at: str | None
    duration_seconds: float | None
    exit_code: int
    stopped: str | None
    not_run: list[str]
    summary: Summary
    files: list[FileEntry]
    pool: dict[str, Any] | None
    host: dict[str, Any]
    versions: dict[str, Any]
    options: dict[str, Any]


def build(result: RunResult) -> Report:
    ended = result.ended_at
    return Report(
        schema=SCHEMA,
        run=result.run,
        started_at=_moment(result.started_at),
        ended_at=None if ended is None else _moment(ended),
        duration_seconds=None if ended is None else round(ended - result.started_at, 3),
        exit_code=int(result.exit_code),
        stopped=result.stopped,
        not_run=list(result.not_run),
        summary=_summary(result),
        files=[_file(file) for file in result.files],
        pool=None if result.pool is None else dict(result.pool),
        host=dict(result.host),
        versions=dict(result.versions),
        options=dict(result.options),
    )


def _summary(result: RunResult) -> Summary:
    counts = result.counts
    return Summary(
        files=len(result.files),
        tests=counts.total(),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        skipped=counts[Outcome.SKIPPED],
        crashed=counts[Outcome.CRASHED],
        timeout=counts[Outcome.TIMEOUT],
        errors=counts[Outcome.ERROR],
    )


def _file(file: FileResult) -> FileEntry:
    return FileEntry(
        path=file.path,
        model=file.model,
        family=file.family,
        device=file.device,
        dtype=file.dtype,
        weights=file.weights,
        level=file.level,
        level_reason=file.level_reason,
        outcome=file.outcome,
        duration_seconds=round(file.duration_seconds, 3),
        load_seconds=round(file.load_seconds, 3),
        memory=Memory(
            predicted_mb=_rounded(file.memory.predicted_mb),
            peak_mb=file.memory.peak_mb,
            leaked_mb=file.memory.leaked_mb,
        ),
        degraded=file.degraded,
        message=file.message,
        quarantined=file.quarantined,
        left_behind=list(file.left_behind),
        remarks=list(file.remarks),
        asked=file.asked,
        backend=backends.entry(file),
        tests=[_test(test) for test in file.tests],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _test(test: TestResult) -> TestEntry:
    entry = TestEntry(
        id=test.id,
        outcome=test.outcome,
        duration_seconds=round(test.duration_seconds, 6),
        message=test.message,
    )
    if test.attempts:
        entry["flaky"] = test.flaky
        entry["attempts"] = [_attempt(each) for each in test.attempts]
    if test.outcome in BAD:
        entry["details"] = test.details
        entry["output"] = test.output
    return entry


def _attempt(attempt: Attempt) -> AttemptEntry:
    return AttemptEntry(
        round=attempt.round,
        attempt=attempt.attempt,
        outcome=attempt.outcome,
        duration_seconds=round(attempt.duration_seconds, 6),
        message=attempt.message,
    )


def _moment(seconds: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def to_text(report: Mapping[str, Any] | Report) -> str:
    """JSON in which nothing that a name or a message holds can break a reader."""
    return json.dumps(_finite(report), indent=2, default=str, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no word for infinity and for what is no number: null, and never `Infinity`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value


def write(report: Report, path: Path) -> None:
    write_text(path, to_text(report), "--json")
