"""From pytest's reports to one outcome, with small stand-ins for the reports."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from rpgen.run.results import Outcome
from rpgen.run.verdict import judge, shorten


@dataclass
class Crash:
    message: str


@dataclass
class Text:
    reprcrash: Crash


@dataclass
class Report:
    when: str
    outcome: str = "passed"
    longrepr: Any = None
    longreprtext: str = ""
    sections: list[tuple[str, str]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def failed(self) -> bool:
        return self.outcome == "failed"

    @property
    def skipped(self) -> bool:
        return self.outcome == "skipped"


class SubReport(Report):
    def _sub_test_description(self) -> str:
        return "(i=1)"


def bad(when: str, message: str, kind: type[Report] = Report) -> Report:
    return kind(when, "failed", Text(Crash(message)), f"E   {message}")


SETUP, CALL, TEARDOWN = Report("setup"), Report("call"), Report("teardown")


def test_passed() -> None:
    assert judge([SETUP, CALL, TEARDOWN]).outcome is Outcome.PASSED


def test_a_failed_call_is_failed_also_where_the_clean_up_fails_too() -> None:
    verdict = judge([SETUP, bad("call", "one"), bad("teardown", "two")])
    assert verdict.outcome is Outcome.FAILED
    assert verdict.message == "one\nin clean-up: two"


@pytest.mark.parametrize(("when", "word"), [("setup", "set-up"), ("teardown", "clean-up")])
def test_set_up_and_clean_up_are_errors(when: str, word: str) -> None:
    reports = [bad("setup", "x"), TEARDOWN] if when == "setup" else [SETUP, CALL, bad(when, "x")]
    verdict = judge(reports)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.message == f"in {word}: x"


def test_subtests_are_the_cause_once() -> None:
    count = bad("call", "contains 1 failed subtest")
    verdict = judge([SETUP, SubReport("call"), bad("call", "1 != 2", SubReport), count, TEARDOWN])
    assert verdict.outcome is Outcome.FAILED
    assert verdict.message == "(i=1) 1 != 2"


def test_a_skip_says_why() -> None:
    skip = Report("call", "skipped", ("f.py", 3, "Skipped: no GPU"))
    verdict = judge([SETUP, skip, TEARDOWN])
    assert (verdict.outcome, verdict.message) == (Outcome.SKIPPED, "no GPU")


def test_an_expected_failure_is_a_skip_that_says_so() -> None:
    report = Report("call", "skipped", ("f.py", 3, "x"))
    report.wasxfail = "reason: bug 7"  # type: ignore[attr-defined]
    verdict = judge([SETUP, report, TEARDOWN])
    assert (verdict.outcome, verdict.message) == (Outcome.SKIPPED, "expected failure: bug 7")


def test_a_test_without_a_call_did_not_end() -> None:
    assert judge([SETUP]).outcome is Outcome.ERROR
    assert judge([]).outcome is Outcome.ERROR


def test_a_message_without_a_crash_line_is_found_in_the_text() -> None:
    text = "file x, line 3\nE       fixture 'y' not found\n>       available fixtures: z\n\nx:3"
    assert judge([Report("setup", "failed", None, text)]).message == (
        "in set-up: fixture 'y' not found"
    )


def test_long_text_keeps_its_beginning_and_its_end() -> None:
    short = shorten("a" * 500 + "middle" + "z" * 500, 90)
    assert short.startswith("aaa")
    assert short.endswith("zzz")
    assert "left out" in short
    assert shorten("same", 90) == "same"


def test_logs_belong_to_the_details() -> None:
    report = bad("call", "x")
    report.sections = [("Captured log call", "WARNING it"), ("Captured log setup", " ")]
    assert "WARNING it" in (judge([SETUP, report]).details or "")
