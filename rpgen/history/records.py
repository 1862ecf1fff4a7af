"""A run as history keeps it: the figures that later runs are compared with, no tracebacks.

Outcomes are texts here: a later version may know more of them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.run.results import Outcome, RunResult

_MESSAGE_LIMIT = 300
_POOL_FIGURES = ("hits", "misses", "hit_ratio", "memory_usage_mb", "load_seconds", "evictions")
_SUMMARY = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "skipped",
    Outcome.CRASHED: "crashed",
    Outcome.TIMEOUT: "timeout",
    Outcome.ERROR: "errors",
}  # what the JSON report calls them


@dataclass(frozen=True)
class TestRecord:
    __test__ = False  # not a test class, whatever its name begins with
    id: str
    outcome: str
    seconds: float = 0.0
    message: str | None = None


@dataclass(frozen=True)
class FileRecord:
    """`device` has the backend too: "cpu", "cuda:0"; None where the file had no model."""

    path: str
    outcome: str
    seconds: float
    model: str | None = None
    family: str | None = None
    device: str | None = None
    dtype: str | None = None
    weights: str | None = None
    passed: int = 0
    total: int = 0
    load_seconds: float = 0.0
    predicted_mb: float | None = None
    peak_mb: float | None = None
    leaked_mb: float | None = None
    tests: tuple[TestRecord, ...] = ()

    def is_like(self, other: "FileRecord") -> bool:
        """The same file with the same means; one that got no model may have been meant so."""
        means = (
            (self.device, self.dtype, self.weights),
            (other.device, other.dtype, other.weights),
        )
        return self.path == other.path and all(
            None in pair or pair[0] == pair[1] for pair in zip(*means, strict=True)
        )


@dataclass(frozen=True)
class RunRecord:
    """`ended_at` is None for a run that was cut off, or goes on.

    `summary` is that of the JSON report; `pool` has a few of the pool's figures at the end.
    """

    run: str
    started_at: float
    ended_at: float | None
    exit_code: int | None
    host: str | None = None
    stopped: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    summary: Mapping[str, int] = field(default_factory=dict)
    pool: Mapping[str, float | None] = field(default_factory=dict)
    files: tuple[FileRecord, ...] = ()

    @property
    def counts(self) -> "Counter[Outcome]":
        return Counter({each: self.summary.get(_SUMMARY[each], 0) for each in Outcome})


def record(result: RunResult) -> RunRecord:
    pool = result.pool or {}
    return RunRecord(
        run=result.run,
        started_at=result.started_at,
        ended_at=result.ended_at,
        exit_code=None if result.ended_at is None else int(result.exit_code),
        host=str(result.host["name"]) if result.host.get("name") else None,
        stopped=result.stopped,
        versions={name: _text(version) for name, version in result.versions.items()},
        summary={
            "files": len(result.files),
            "tests": result.counts.total(),
            **{name: result.counts[outcome] for outcome, name in _SUMMARY.items()},
        },
        pool={name: pool.get(name) for name in _POOL_FIGURES},
        files=tuple(
            FileRecord(
                path=file.path,
                outcome=file.outcome,
                seconds=file.duration_seconds,
                model=file.model,
                family=file.family,
                device=file.device,
                dtype=file.dtype,
                weights=file.weights,
                passed=file.counts[Outcome.PASSED],
                total=len(file.tests),
                load_seconds=file.load_seconds,
                predicted_mb=file.memory.predicted_mb,
                peak_mb=file.memory.peak_mb,
                leaked_mb=file.memory.leaked_mb,
                tests=tuple(
                    TestRecord(test.id, test.outcome, test.duration_seconds, _short(test.message))
                    for test in file.tests
                ),
            )
            for file in result.files
        ),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _short(message: str | None) -> str | None:
    lines = (message or "").strip().splitlines()
    return lines[0][:_MESSAGE_LIMIT] if lines else None
