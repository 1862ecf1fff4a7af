"""The last run beside those before it."""

from dataclasses import replace

from rpgen.history.records import FileRecord, RunRecord, TestRecord
from rpgen.history.trends import Kind, findings, trends


def file(outcome: str = "passed", **more: object) -> FileRecord:
    tests = (TestRecord("t.py::a", outcome, message=None if outcome == "passed" else "boom"),)
    plain = FileRecord("t.py", outcome, 2.0, "gpt2", None, "cpu", "fp32", "tiny", tests=tests)
    return replace(plain, **more)  # type: ignore[arg-type]


def runs(*files: FileRecord, last_torch: str = "1", host: str = "here") -> list[RunRecord]:
    made = [
        RunRecord(f"r{number}", number, number + 1, 0, host, versions={"torch": "1"}, files=(each,))
        for number, each in enumerate(files)
    ]
    made[-1] = replace(made[-1], versions={"torch": last_torch})
    return made


def kinds(given: list[RunRecord]) -> list[Kind]:
    return [finding.kind for finding in findings(given)]


def test_a_test_that_passed_and_fails_is_newly_failing_and_says_what_changed() -> None:
    (found,) = findings(runs(file(), file(), file("failed"), last_torch="2"))
    assert found.kind is Kind.NEWLY_FAILING
    assert (found.what, found.since, found.model) == ("t.py::a", "r1", "gpt2")
    assert (found.before, found.now) == ("passed", "failed: boom")
    assert found.changed == (("torch 1", "2"),)


def test_what_failed_before_is_no_news() -> None:
    assert kinds(runs(file("failed"), file("crashed"))) == []
    assert kinds(runs(file("failed"), file())) == [Kind.MENDED]


def test_a_skip_in_between_hides_nothing() -> None:
    assert kinds(runs(file(), file("skipped"), file("failed"))) == [Kind.NEWLY_FAILING]
    assert kinds(runs(file("skipped"), file("failed"))) == []


def test_a_model_that_can_not_be_loaded_any_more_is_newly_failing() -> None:
    gone = file("error", device=None, dtype=None, weights=None)
    assert kinds(runs(file(), gone)) == [Kind.NEWLY_FAILING]


def test_slower_and_more_memory_need_a_clear_difference_from_enough_runs() -> None:
    usual = [file(peak_mb=100.0)] * 3
    worse = file(seconds=4.0, peak_mb=200.0)
    assert kinds(runs(*usual, worse)) == [Kind.SLOWER, Kind.MORE_MEMORY]
    assert kinds(runs(*usual[:2], worse)) == []
    assert kinds(runs(*usual, file(seconds=2.9, peak_mb=119.0))) == []
    small = [file(seconds=0.01, peak_mb=1.0)] * 3
    assert kinds(runs(*small, file(seconds=0.1, peak_mb=9.0))) == []


def test_one_slow_run_among_the_earlier_is_enough_to_be_usual() -> None:
    assert kinds(runs(file(), file(seconds=5.0), file(), file(), file(seconds=4.5))) == []


def test_only_like_is_compared_with_like() -> None:
    slow = file(seconds=9.0)
    for other in (file(device="cuda:0"), file(dtype="fp16"), file(weights="random")):
        assert kinds(runs(other, other, other, slow)) == []
    elsewhere = runs(file(), file(), file(), slow)
    elsewhere[-1] = replace(elsewhere[-1], host="there")
    assert kinds(elsewhere) == []


def test_failed_runs_say_nothing_about_what_is_usual() -> None:
    quick = [file("failed", seconds=0.1)] * 5
    assert kinds(runs(*quick, file(seconds=9.0))) == [Kind.MENDED]


def test_one_run_alone_and_none_at_all() -> None:
    assert findings([]) == findings(runs(file("failed"))) == ()
    assert trends([]) == ()


def test_trends_have_a_place_for_each_run() -> None:
    (trend,) = trends(runs(file(), file(path="other.py"), file("failed", peak_mb=5.0)))
    assert trend.outcomes == ("passed", None, "failed")
    assert trend.peak_mb == (None, None, 5.0)
