"""The level of the checks and what they remarked, in every report."""

from io import StringIO

from rich.console import Console

from rpgen.report import console, json_report, markdown, words
from rpgen.report.html import run_page
from rpgen.report.timeline import timeline
from rpgen.run.results import fold
from tests.unit.report.journals import small


def test_every_report_says_at_which_level_the_checks_were() -> None:
    result = fold(small())
    several = "checks at several levels: minimal (2 files), normal (1 files)"
    page = run_page.page(result, timeline([*small()]))
    out = Console(file=StringIO(), width=100)
    console.show_result(result, out)
    for text in (out.file.getvalue(), markdown.build(result), page):  # type: ignore[attr-defined]
        assert several in text
        assert "halved for 1" in text
        assert "checks at the minimal level, by memory: 2 MB" in text
    first, second, _ = json_report.build(result)["files"]
    assert (first["level"], first["level_reason"], first["remarks"]) == (
        "normal",
        "by memory: 0 MB",
        [],
    )
    assert (second["level"], second["remarks"]) == ("minimal", ["halved for 1"])


def test_one_level_is_said_once_and_none_not_at_all() -> None:
    assert words.levels(fold(small(1))) == "checks at the normal level"
    assert words.levels(fold([])) == ""
