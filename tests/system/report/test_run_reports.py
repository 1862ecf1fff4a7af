"""What `rpgen run` and `rpgen stats` leave in files and in the history, as processes."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from rpgen.report.json_report import SCHEMA_FILE
from tests.system.report.conftest import Opened
from tests.system.run.conftest import Project

GOOD = "def test_a():\n    pass\n"
BAD = "def test_a():\n    pass\ndef test_b():\n    print('::error::mine')\n    assert 1 == 2\n"
CRASH = "import os, signal\ndef test_c():\n    os.kill(os.getpid(), signal.SIGSEGV)\n"


def test_every_report_of_one_run(project: Project, open_page: Callable[..., Opened]) -> None:
    project.write(good=GOOD, bad=BAD, crash=CRASH)
    page, summary, junit = (project.folder / name for name in ("r/p.html", "s.md", "j.xml"))
    ran = project.run(
        ".", "--html", str(page), "--markdown", str(summary), "--junit-xml", str(junit)
    )
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == f"report: {page}"
    for path in (page, ran.state / "report.html"):
        text = open_page(path).page.inner_text("body")
        assert "2 of 4 tests in 3 files went wrong" in text
        assert "SIGSEGV" in text
    assert "assert 1 == 2" in summary.read_text()
    assert junit.is_file()
    jsonschema.validate(ran.report, json.loads(SCHEMA_FILE.read_text()))
    links = (ran.state / "report.html").read_text()
    for name in ("journal.jsonl", "report.json", "worker.log"):
        assert f'href="{name}"' in links
        assert (ran.state / name).is_file()


def test_the_page_is_named_at_the_end_also_where_nobody_asked_for_it(project: Project) -> None:
    project.write(good=GOOD)
    ran = project.run(".")
    assert ran.out.splitlines()[-1] == f"report: {ran.state / 'report.html'}"


def test_on_github_a_summary_is_added_and_failures_are_annotated(project: Project) -> None:
    project.write(sub__bad=BAD)
    summary = project.put("summary.md", "# of another step\n")
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKSPACE": str(project.folder),
    }
    ran = project.run("sub", **github)
    assert ran.code == 1
    text = summary.read_text()
    assert text.startswith("# of another step\n## ❌ rpgen: 1 passed, 1 failed in 1 file")
    lines = ran.out.splitlines()
    (ours,) = [line for line in lines if line.startswith("::error")]
    assert ours == "::error file=sub/test_bad.py,line=5,title=failed%3A test_b::assert 1 == 2"
    stop = next(line for line in lines if line.startswith("::stop-commands::"))
    begin, end = lines.index(stop), lines.index(f"::{stop.removeprefix('::stop-commands::')}::")
    assert begin < next(n for n, line in enumerate(lines) if "::error::mine" in line) < end


def test_a_report_that_can_not_be_written_is_said_before_the_run(project: Project) -> None:
    project.write(good=GOOD)
    (project.folder / "file").write_text("")
    for option in ("--html", "--markdown"):
        ran = project.finish(project.start("run", ".", option, "file/x"))
        assert ran.code == 6
    assert not (project.folder / ".rpgen").exists()


def history(project: Project) -> list[str]:
    with sqlite3.connect(project.folder / ".rpgen" / "history.sqlite") as connection:
        found = [run for (run,) in connection.execute("SELECT run FROM runs")]
    connection.close()
    return found


def test_each_run_is_in_the_history_also_when_two_end_at_once(project: Project) -> None:
    project.write(good=GOOD)
    together = [project.start("run", ".") for _ in range(2)]
    assert [project.finish(process).code for process in together] == [0, 0]
    assert len(history(project)) == 2


def test_what_fails_newly_is_shown_and_what_is_mended(project: Project) -> None:
    project.write(good=GOOD)
    project.run(".")
    project.write(good=GOOD.replace("pass", "assert 0"))
    project.run(".")
    shown = project.stats("--history").out
    assert "newly failing: test_good.py::test_a" in shown
    found = json.loads(project.stats("--history", "1", "--json").out)
    assert [finding["kind"] for finding in found["findings"]] == ["newly failing"]
    assert len(found["runs"]) == 1
    project.write(good=GOOD)
    project.run(".")
    assert "mended: test_good.py::test_a" in project.stats("--history", "2").out


@pytest.mark.parametrize(
    "broken", [b"not a database " * 99, b"SQLite format 3\x00" + b"\x7f" * 5000]
)
def test_a_broken_history_is_set_aside_and_what_the_journals_have_comes_back(
    project: Project, broken: bytes
) -> None:
    project.write(good=GOOD)
    project.run(".")
    path = project.folder / ".rpgen" / "history.sqlite"
    path.write_bytes(broken)
    ran = project.run(".")
    assert ran.code == 0
    assert "history.sqlite.broken-1" in ran.err
    assert path.with_name("history.sqlite.broken-1").read_bytes() == broken
    assert len(json.loads(project.stats("--history", "9", "--json").out)["runs"]) == 2


def test_a_history_that_can_not_be_costs_a_warning_and_the_journals_answer(
    project: Project,
) -> None:
    project.write(good=GOOD)
    (project.folder / ".rpgen" / "history.sqlite").mkdir(parents=True)
    ran = project.run(".")
    assert (ran.code, "history" in ran.err) == (0, True)
    stats = project.stats("--history", "5")
    assert stats.code == 0
    assert ran.state.name in stats.out
    assert "from the journals" in stats.err


def test_the_matrix_on_the_terminal_as_json_and_as_a_page(
    project: Project, open_page: Callable[..., Opened]
) -> None:
    assert project.stats("--matrix").code == 3
    project.write(good=GOOD)
    project.run(".")
    assert "no run has had a file with a model" in project.stats("--matrix").out
    project.write(
        model='from rpgen.models import Checkpoint\nCHECKPOINT = Checkpoint("org/gpt2")\n' + GOOD
    )
    ran = project.run(".")
    assert "org/gpt2" in project.stats("--matrix").out
    (result,) = json.loads(project.stats("--matrix", "--json").out)["results"]
    assert (result["model"], result["outcome"]) == ("org/gpt2", "passed")
    page = project.folder / "sub dir" / "m.html"
    assert project.stats("--matrix", "--html", str(page)).out.strip() == f"page: {page}"
    opened = open_page(page).page
    link = opened.get_by_role("link", name=ran.state.name)
    assert link.count() == 1
    assert Path(page.parent, str(link.get_attribute("href"))).resolve().is_file()
    assert project.stats("--html", "x.html").code == 2
