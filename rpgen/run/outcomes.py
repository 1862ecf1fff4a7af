"""What comes out of a run, as values: tests, files, the whole."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from rpgen.errors import ExitCode


class Outcome(StrEnum):
    """From best to worst for a file that has tests of several outcomes: see `worst`."""

    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"
    ERROR = "error"  # set-up, clean-up or import went wrong, or the test could not be run
    TIMEOUT = "timeout"
    CRASHED = "crashed"  # the process ended under it


BAD = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED})


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """A file's outcome. One passed test is enough for a file whose others were skipped."""
    found = set(outcomes)
    for outcome in reversed(Outcome):
        if outcome in found and outcome in BAD:
            return outcome
    return Outcome.PASSED if Outcome.PASSED in found else Outcome.SKIPPED


@dataclass(frozen=True)
class Attempt:
    """One run of a test: the `attempt`-th (of `--reruns`) in the `round`-th (of `--repeat`)."""

    round: int
    attempt: int
    outcome: Outcome
    duration_seconds: float = 0.0
    message: str | None = None
    details: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class TestResult:
    """`id` is `path::Class::test`, or the path alone for a trouble of the file as a whole.

    `attempts` has every run of a test that was run more than once, and is empty for others.
    The last attempt of a round has the say, and the worst round; `flaky` is a test of which
    one attempt was good and another bad.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever its name begins with
    id: str
    outcome: Outcome
    duration_seconds: float = 0.0
    message: str | None = None
    details: str | None = None
    output: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def flaky(self) -> bool:
        bad = {attempt.outcome in BAD for attempt in self.attempts}
        return len(bad) == 2

    def again(self, attempt: Attempt) -> "TestResult":
        """This result with one more attempt in it; what is said later of the same one holds."""
        first = Attempt(
            1, 1, self.outcome, self.duration_seconds, self.message, self.details, self.output
        )
        turn = (attempt.round, attempt.attempt)
        before = (each for each in self.attempts or (first,) if (each.round, each.attempt) != turn)
        return of_attempts(self.id, (*before, attempt))


def of_attempts(test: str, attempts: tuple[Attempt, ...]) -> TestResult:
    """What several runs of one test come to; their time is added up."""
    last_of_round = {attempt.round: attempt for attempt in attempts}
    verdict = worst(attempt.outcome for attempt in last_of_round.values())
    telling = next(each for each in last_of_round.values() if each.outcome is verdict)
    return TestResult(
        test,
        verdict,
        sum(attempt.duration_seconds for attempt in attempts),
        telling.message,
        telling.details,
        telling.output,
        attempts if len(attempts) > 1 else (),
    )


@dataclass(frozen=True)
class FileMemory:
    """MB on the device of the file's model; None where it wasn't, or couldn't be, measured."""

    predicted_mb: float | None = None
    peak_mb: float | None = None
    leaked_mb: float | None = None


@dataclass(frozen=True)
class FileResult:
    """`device`, `dtype` and `weights` are None where the file took no model from the pool.

    `message` says what there is to say of the file as a whole; `uses` has the pool's account
    of each model that the file got. `level` is that of its checks, `remarks` what they told.
    `asked` is the device that the run was asked to use; `backend` tells of the backend that
    computed in torch's place: see `rpgen.backends.figures`. `difference` is that of one of torch's
    own devices to the CPU, relative to the spread there.
    """

    path: str
    model: str | None
    family: str | None
    outcome: Outcome
    duration_seconds: float
    tests: tuple[TestResult, ...] = ()
    device: str | None = None
    dtype: str | None = None
    weights: str | None = None
    load_seconds: float = 0.0
    memory: FileMemory = FileMemory()
    degraded: str | None = None
    message: str | None = None
    quarantined: bool = False
    left_behind: tuple[str, ...] = ()
    uses: tuple[Mapping[str, Any], ...] = ()
    asked: str | None = None
    backend: Mapping[str, Any] | None = None
    level: str | None = None
    level_reason: str | None = None
    remarks: tuple[str, ...] = ()
    model_type: str | None = None
    difference: float | None = None
    difference_in: str | None = None

    @property
    def source(self) -> str:
        """The file itself: its `path` also says on which device, where it ran on several."""
        return self.path.removesuffix(f" [{self.asked}]")

    @property
    def counts(self) -> Counter[Outcome]:
        return Counter(test.outcome for test in self.tests)

    @property
    def flaky(self) -> tuple[TestResult, ...]:
        return tuple(test for test in self.tests if test.flaky)


@dataclass(frozen=True)
class RunResult:
    """`not_run` are files that the run did not get to; `stopped` says why.

    `ended_at` is None while the run goes on, and for one that was cut off. What happened when is
    `rpgen.report.timeline`'s.
    """

    run: str
    started_at: float
    ended_at: float | None
    files: tuple[FileResult, ...]
    not_run: tuple[str, ...] = ()
    stopped: str | None = None
    interrupted: bool = False
    pool: Mapping[str, Any] | None = None
    host: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[Outcome]:
        return sum((file.counts for file in self.files), Counter())

    @property
    def exit_code(self) -> ExitCode:
        """0 only where a test passed and none went wrong; all skipped is "nothing ran"."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        counts = self.counts
        if any(counts[outcome] for outcome in BAD):
            return ExitCode.FAILED
        return ExitCode.OK if counts[Outcome.PASSED] else ExitCode.NOTHING_RAN
