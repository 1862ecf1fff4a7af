"""A test that changes its mind is told as such in every report."""

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from rich.console import Console

from rpgen.report import console, json_report, junit, markdown
from rpgen.report.html import run_page
from rpgen.report.timeline import timeline
from rpgen.run import events
from rpgen.run.results import RunResult, fold

PATH = "t/test_a.py"


def journal() -> list[events.Event]:
    def ended(test: str, outcome: str, attempt: int) -> events.TestEnded:
        message = None if outcome == "passed" else f"why {attempt}"
        return events.TestEnded(
            path=PATH, test=f"{PATH}::{test}", outcome=outcome, message=message, attempt=attempt
        )

    return [
        events.RunStarted(run="r", files=({"path": PATH, "model": None, "family": None},)),
        events.FileStarted(path=PATH, worker=1),
        ended("wobbly", "failed", 1),
        ended("wobbly", "timeout", 2),
        ended("wobbly", "passed", 3),
        ended("broken", "failed", 1),
        ended("broken", "failed", 2),
        ended("sound", "passed", 1),
        events.FileEnded(path=PATH, worker=1, duration_seconds=1.0),
        events.RunEnded(),
    ]


@pytest.fixture
def result() -> RunResult:
    return fold(journal())


def test_in_json(result: RunResult) -> None:
    report = json.loads(json_report.to_text(json_report.build(result)))
    report["versions"] |= {"python": None, "torch": None, "transformers": None, "pytest": None}
    jsonschema.validate(report, json.loads(json_report.SCHEMA_FILE.read_text()))
    wobbly, broken, sound = report["files"][0]["tests"]
    assert (wobbly["outcome"], wobbly["flaky"], broken["flaky"]) == ("passed", True, False)
    assert [each["outcome"] for each in wobbly["attempts"]] == ["failed", "timeout", "passed"]
    assert "attempts" not in sound


def test_in_junit(result: RunResult, tmp_path: Path) -> None:
    pytest.importorskip("junitparser")
    junit.write(result, tmp_path / "j.xml")
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        "3", "1", "0", "0"
    ]  # fmt: skip
    wobbly, broken, sound = root.iter("testcase")
    assert [child.tag for child in wobbly if child.tag != "properties"] == [
        "flakyFailure", "flakyError"
    ]  # fmt: skip
    assert [child.tag for child in broken] == ["rerunFailure", "failure"]
    assert {child.get("message") for child in broken} == {"why 1", "why 2"}
    assert len(sound) == 0


def test_on_the_terminal_in_markdown_and_on_the_page(result: RunResult) -> None:
    out = Console(file=StringIO(), width=100)
    console.show_result(result, out)
    page = run_page.page(result, timeline(journal()))
    for text in (out.file.getvalue(), markdown.build(result), page):  # type: ignore[attr-defined]
        assert "wobbly" in text
        assert "flaky" in text
    assert "2 passed, 1 failed, 1 flaky" in markdown.build(result)
    assert "failed, then timeout, then passed" in page
