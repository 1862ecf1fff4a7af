"""The summary for CI and the annotations: short enough, and nobody's text is a command."""

import html
import re
from pathlib import Path

from rpgen.report import markdown
from rpgen.report.problems import Problem, once_a_cause, problems
from rpgen.run import events
from rpgen.run.outcomes import FileResult, Outcome, TestResult
from rpgen.run.results import fold
from tests.unit.report.journals import HOSTILE, hostile, small


def test_the_summary_has_the_bad_files_first_and_each_problem() -> None:
    text = markdown.build(fold(small()))
    assert text.startswith("## ❌ rpgen: 2 passed, 1 failed in 3 files")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "<code>" in line]
    assert "t/test_2.py" in rows[0]
    assert "tiny fp32 on cpu" in rows[0]
    assert "E   1 != 2" in text


def test_a_good_run_and_an_empty_one() -> None:
    assert markdown.build(fold(small(2))).startswith("## ✅ rpgen: 2 passed")
    assert "no tests in 0 files" in markdown.build(fold([]))


def test_hostile_text_is_neither_html_nor_markdown() -> None:
    text = markdown.build(fold(hostile()))
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.M | re.S)
    for tag in ("<script", "<img", "</title"):
        assert tag not in outside
    assert html.escape(HOSTILE[0], quote=False) in outside
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {10}
    text.encode("utf-8")


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    test = TestResult("t.py::a", Outcome.FAILED, message="x", details="```\n````\n</details>")
    file = FileResult("t.py", None, None, Outcome.FAILED, 1.0, (test,))
    text = markdown._problem(Problem(file, test))
    assert "`````text\n" in text


def test_the_summary_keeps_to_its_limit_and_counts_what_is_left_out() -> None:
    result = fold(small(900))
    text = markdown.build(result, 40_000)
    assert len(text.encode()) <= 40_000
    assert "more problems are in the run's other reports" in text
    assert "more files" in text
    assert markdown.build(result, 1000) == ""


def test_annotations_name_file_and_line_from_the_workspace(tmp_path: Path) -> None:
    (line,) = markdown.annotations(fold(small()), tmp_path / "sub", tmp_path)
    assert line == "::error file=sub/t/test_2.py,line=7,title=failed%3A test_a::1 != 2"
    (elsewhere,) = markdown.annotations(fold(small()), Path("/nowhere"), tmp_path)
    assert "file=t/test_2.py," in elsewhere


def test_hostile_text_in_an_annotation_is_no_command_of_its_own() -> None:
    lines = list(markdown.annotations(fold(hostile()), Path("/w"), None))
    assert len(lines) == markdown.ANNOTATIONS
    for line in lines:
        assert line.startswith("::error ")
        assert "\n" not in line
        assert "\r" not in line
        properties = line.removeprefix("::error ").split("::")[0]
        assert {part.split("=")[0] for part in properties.split(",")} <= {
            "file", "line", "title"
        }  # fmt: skip
    assert "more problems are in the summary" in lines[-1]


def failed(test: str, message: str) -> events.TestEnded:
    return events.TestEnded(path="t.py", test=test, outcome="error", message=message)


def test_a_set_up_that_failed_for_a_class_is_told_once() -> None:
    result = fold(
        [
            events.FileStarted(path="t.py", worker=1),
            failed("t.py::C::a", "in set-up: rpgen.errors.ModelUnavailableError: no such model"),
            failed("t.py::C::b", "in set-up: the same (as for t.py::C::a)"),
            failed("t.py::x", "hostile (as for t.py::y)"),
            failed("t.py::y", "hostile (as for t.py::x)"),
        ]
    )
    found = once_a_cause(problems(result))
    assert [problem.test.id for problem in found] == ["t.py::C::a", "t.py::x", "t.py::y"]
    assert found[0].others == ("t.py::C::b",)
    assert found[0].message == "in set-up: no such model"


def test_the_line_is_the_last_of_the_test_file_in_a_traceback() -> None:
    def line(details: str) -> int | None:
        test = TestResult("t/a.py::b", Outcome.FAILED, details=details)
        return Problem(FileResult("t/a.py", None, None, Outcome.FAILED, 1.0), test).line

    assert line("t/a.py:3: in b\nlib/x.py:9: in c\nE  boom") == 3
    assert line('File "/w/t/a.py", line 5 in b\nFile "/lib/x.py", line 7') == 5
    assert line("nothing") is None
