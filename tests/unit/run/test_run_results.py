"""The fold from journal to results, and what an exit code says."""

import pytest

from rpgen.errors import ExitCode
from rpgen.run import events
from rpgen.run.results import BAD, Outcome, fold, worst

F = "t/test_f.py"


def started(*paths: str) -> events.RunStarted:
    files = tuple({"path": path, "model": None, "family": None} for path in paths)
    return events.RunStarted(run="r", files=files, time=100.0)


def ended(test: str, outcome: str, path: str = F) -> events.TestEnded:
    return events.TestEnded(path=path, test=f"{path}::{test}", outcome=outcome)


def one_file(*more: events.Event) -> list[events.Event]:
    return [started(F), events.FileStarted(path=F, worker=1), *more]


def test_an_empty_journal_has_no_files_and_no_success() -> None:
    result = fold([])
    assert result.files == ()
    assert result.exit_code is ExitCode.NOTHING_RAN


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["passed"], ExitCode.OK),
        (["passed", "skipped"], ExitCode.OK),
        (["skipped", "skipped"], ExitCode.NOTHING_RAN),
        ([], ExitCode.NOTHING_RAN),
        *((["passed", str(bad)], ExitCode.FAILED) for bad in sorted(BAD)),
    ],
)
def test_exit_code(outcomes: list[str], code: ExitCode) -> None:
    tests = [ended(f"t{number}", outcome) for number, outcome in enumerate(outcomes)]
    assert fold(one_file(*tests, events.RunEnded())).exit_code is code


def test_an_interrupted_run_says_so_whatever_passed() -> None:
    end = events.RunEnded(stopped="interrupted by Ctrl-C", interrupted=True)
    assert fold(one_file(ended("a", "passed"), end)).exit_code is ExitCode.INTERRUPTED


def test_the_worst_outcome_is_the_files() -> None:
    assert worst([]) is Outcome.SKIPPED
    assert worst([Outcome.SKIPPED, Outcome.PASSED]) is Outcome.PASSED
    assert worst([Outcome.FAILED, Outcome.ERROR, Outcome.PASSED]) is Outcome.ERROR
    assert worst([Outcome.TIMEOUT, Outcome.CRASHED]) is Outcome.CRASHED


def test_a_crash_costs_the_test_it_happened_in_and_no_other() -> None:
    down = events.WorkerDown(
        worker=1, cause="crashed", message="SIGSEGV", path=F, test=f"{F}::b", duration_seconds=2.0
    )
    again = events.FileStarted(path=F, worker=2)
    end = events.FileEnded(path=F, worker=2, duration_seconds=1.0)
    journal = one_file(ended("a", "passed"), down, again, ended("c", "passed"), end)
    (file,) = fold(journal).files
    assert [(test.id, str(test.outcome)) for test in file.tests] == [
        (f"{F}::a", "passed"),
        (f"{F}::b", "crashed"),
        (f"{F}::c", "passed"),
    ]
    assert file.outcome is Outcome.CRASHED
    assert file.duration_seconds == 3.0


def test_a_worker_that_dies_between_tests_costs_the_file() -> None:
    down = events.WorkerDown(worker=1, cause="crashed", message="SIGKILL", path=F)
    (file,) = fold(one_file(ended("a", "passed"), down)).files
    assert {test.id: str(test.outcome) for test in file.tests} == {
        F: "crashed",
        f"{F}::a": "passed",
    }


def test_a_quarantined_file_accounts_for_the_tests_it_lost() -> None:
    gone = events.Quarantined(path=F, tests=(f"{F}::c", f"{F}::d"), message="not run: twice")
    (file,) = fold(one_file(ended("a", "passed"), gone)).files
    assert file.quarantined
    assert file.counts == {Outcome.PASSED: 1, Outcome.ERROR: 2}


def test_files_that_were_not_reached_are_named() -> None:
    journal = [started("a.py", "b.py"), events.FileStarted(path="a.py", worker=1)]
    result = fold([*journal, events.RunEnded(stopped="interrupted by Ctrl-C", interrupted=True)])
    assert result.not_run == ("b.py",)
    assert [file.path for file in result.files] == ["a.py"]


def test_a_run_that_was_cut_off_says_so() -> None:
    result = fold(one_file(ended("a", "passed")))
    assert result.ended_at is None
    assert result.stopped is not None


def test_what_the_pool_gave_is_summed_and_named_once() -> None:
    uses = (
        {"device": "cpu", "dtype": "fp32", "weights": "tiny", "load_seconds": 2.0, "hit": False,
         "predicted_mb": 10.0, "degraded": "no cuda"},
        {"device": "cpu", "dtype": "fp32", "weights": "tiny", "load_seconds": 3.0, "hit": True,
         "predicted_mb": 5.0, "degraded": "no cuda"},
        {"device": None, "dtype": None, "weights": None, "load_seconds": 0.5, "hit": False,
         "predicted_mb": None, "degraded": None},
    )  # fmt: skip
    (file,) = fold(one_file(events.PoolUsed(path=F, uses=uses))).files
    assert (file.device, file.dtype, file.weights) == ("cpu", "fp32", "tiny")
    assert file.load_seconds == 2.5  # a hit was loaded by another file
    assert file.memory.predicted_mb == 15.0
    assert file.degraded == "no cuda"


def test_without_a_model_nothing_is_invented() -> None:
    (file,) = fold(one_file(ended("a", "passed"))).files
    assert (file.device, file.dtype, file.weights, file.degraded) == (None, None, None, None)
    assert file.memory.predicted_mb is None


def test_a_file_without_tests_says_why() -> None:
    empty = events.Collected(path=F, tests=())
    deselected = events.Collected(path=F, tests=(), deselected=4)
    assert fold(one_file(empty)).files[0].message == "there is no test in it"
    assert "4" in (fold(one_file(deselected)).files[0].message or "")


def test_a_file_that_was_left_early_says_how_much_is_missing() -> None:
    collected = events.Collected(path=F, tests=(f"{F}::a", f"{F}::b"))
    end = events.FileEnded(path=F, worker=1, duration_seconds=0.1)
    (file,) = fold(one_file(collected, ended("a", "failed"), end)).files
    assert file.message == "1 of its 2 tests were not run"


def attempt(outcome: str, turn: int, number: int) -> events.TestEnded:
    return events.TestEnded(
        path=F,
        test=f"{F}::a",
        outcome=outcome,
        message=f"{turn}.{number}",
        duration_seconds=1.0,
        round=turn,
        attempt=number,
    )


def test_a_test_that_passed_at_last_is_passed_and_flaky() -> None:
    (file,) = fold(one_file(attempt("failed", 1, 1), attempt("passed", 1, 2))).files
    (test,) = file.flaky
    assert (test.outcome, test.duration_seconds) == (Outcome.PASSED, 2.0)
    assert [str(each.outcome) for each in test.attempts] == ["failed", "passed"]
    assert file.counts == {Outcome.PASSED: 1}


def test_a_test_that_never_passed_is_not_flaky() -> None:
    (file,) = fold(one_file(attempt("failed", 1, 1), attempt("error", 1, 2))).files
    assert file.flaky == ()
    assert (file.tests[0].outcome, file.tests[0].message) == (Outcome.ERROR, "1.2")


def test_the_worst_round_counts_and_is_flaky_where_another_was_good() -> None:
    rounds = (attempt("passed", 1, 1), attempt("failed", 2, 1), attempt("passed", 3, 1))
    (file,) = fold(one_file(*rounds)).files
    assert (file.tests[0].outcome, file.tests[0].message) == (Outcome.FAILED, "2.1")
    assert len(file.flaky) == 1


def test_a_crash_is_an_attempt_like_others() -> None:
    down = events.WorkerDown(worker=1, cause="crashed", message="m", path=F, test=f"{F}::a")
    (file,) = fold(one_file(down, attempt("passed", 1, 2))).files
    assert (file.tests[0].outcome, file.tests[0].flaky) == (Outcome.PASSED, True)
