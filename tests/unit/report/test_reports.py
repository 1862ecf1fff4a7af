"""JSON and JUnit from a result that has everything in it."""

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from rich.console import Console

from rpgen.errors import OutputError
from rpgen.history.records import record
from rpgen.report import console, history, json_report, junit, pool_stats, words
from rpgen.run import events
from rpgen.run.results import RunResult, fold

NASTY = "t/test_\x1b[31m\udcff é.py"
USE = {
    "key": "embedding:m", "device": "cpu", "dtype": "fp32", "weights": "tiny", "hit": False,
    "load_seconds": 1.25, "predicted_mb": 10.0, "measured_mb": 9.0, "degraded": "cuda: none",
}  # fmt: skip
POOL = {
    "hits": 3, "misses": 1, "hit_ratio": 0.75, "memory_usage_mb": 9.0, "load_seconds": 1.25,
    "evictions": 0, "devices": {"cpu": 9 * 2**20}, "cached_models": 1,
    "models": {"embedding:m": {"device": "cpu", "memory_usage_mb": 9.0, "in_use": True}},
    "cuda_memory": {"devices": [{"id": 0, "name": "H", "free_mb": 5.0, "total_mb": 9.0}]},
    "hardware": {"mps": {"state": "absent", "reason": "no Mac"}},
}  # fmt: skip


def result() -> RunResult:
    def ended(test: str, outcome: str, **more: str) -> events.TestEnded:
        return events.TestEnded(path=NASTY, test=f"{NASTY}::C::{test}", outcome=outcome, **more)  # type: ignore[arg-type]

    return fold(
        [
            events.RunStarted(
                run="r1",
                files=(
                    {"path": NASTY, "model": "m", "family": "embedding"},
                    {"path": "t/test_b.py", "model": None, "family": None},
                    {"path": "t/test_c.py", "model": None, "family": None},
                ),
                host={"name": "here"},
                rpgen="0.1",
                time=1000.0,
            ),
            events.WorkerReady(
                worker=1,
                versions={"python": "3", "torch": None, "transformers": None, "pytest": "9"},
            ),
            events.FileStarted(path=NASTY, worker=1),
            events.PoolUsed(path=NASTY, uses=(USE,)),
            ended("a", "passed"),
            ended("b", "failed", message="1 != 2\nmore", details="E 1 != 2", output="\x00 \x1b[0m"),
            ended("c", "skipped", message="no GPU"),
            ended("d", "timeout", message="too long"),
            ended("e", "error", message="in set-up: x"),
            events.FileEnded(path=NASTY, worker=1, duration_seconds=2.0, peak_mb=12.0, pool=POOL),
            events.FileStarted(path="t/test_b.py", worker=1),
            events.WorkerDown(worker=1, cause="crashed", message="SIGSEGV", path="t/test_b.py"),
            events.RunEnded(stopped="interrupted by Ctrl-C", interrupted=True, time=1010.0),
        ]
    )


def schema() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(json_report.SCHEMA_FILE.read_text())
    return loaded


def test_the_json_report_keeps_to_its_schema() -> None:
    report = json.loads(json_report.to_text(json_report.build(result())))
    jsonschema.validate(report, schema())
    jsonschema.Draft202012Validator.check_schema(schema())


def test_an_empty_run_has_a_report_too() -> None:
    report = json.loads(json_report.to_text(json_report.build(fold([]))))
    assert (report["files"], report["summary"]["tests"]) == ([], 0)
    report["versions"] |= {"python": None, "torch": None, "transformers": None, "pytest": None}
    jsonschema.validate(report, schema())


def test_the_summary_counts_every_test_once() -> None:
    summary = json_report.build(result())["summary"]
    assert summary == {
        "files": 2, "tests": 6, "passed": 1, "failed": 1, "skipped": 1,
        "crashed": 1, "timeout": 1, "errors": 1,
    }  # fmt: skip


def test_each_file_states_with_what_its_results_were_obtained() -> None:
    first, second = json_report.build(result())["files"]
    assert (first["model"], first["family"]) == ("m", "embedding")
    assert (first["device"], first["dtype"], first["weights"]) == ("cpu", "fp32", "tiny")
    assert first["memory"] == {"predicted_mb": 10.0, "peak_mb": 12.0, "leaked_mb": None}
    assert (first["load_seconds"], first["degraded"]) == (1.25, "cuda: none")
    assert (second["device"], second["weights"]) == (None, None)


def test_output_and_traceback_stand_beside_bad_outcomes_only() -> None:
    tests = json_report.build(result())["files"][0]["tests"]
    with_details = {test["outcome"] for test in tests if "details" in test}
    assert with_details == {"failed", "timeout", "error"}


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "r.json"
    json_report.write(json_report.build(result()), path)
    assert json.loads(path.read_text())["run"] == "r1"
    assert [entry.name for entry in path.parent.iterdir()] == ["r.json"]
    with pytest.raises(OutputError):
        json_report.write(json_report.build(result()), tmp_path)


def test_junit_is_xml_with_a_suite_per_file(tmp_path: Path) -> None:
    pytest.importorskip("junitparser")
    path = tmp_path / "j.xml"
    junit.write(result(), path)
    root = ElementTree.parse(path).getroot()
    assert root.attrib["tests"] == "6"
    assert (root.attrib["failures"], root.attrib["errors"], root.attrib["skipped"]) == (
        "1",
        "3",
        "1",
    )
    first, second = root.findall("testsuite")
    properties = {item.get("name"): item.get("value") for item in first.iter("property")}
    assert (properties["device"], properties["weights"]) == ("cpu", "tiny")
    assert (properties["predicted_mb"], properties["peak_mb"]) == ("10.0", "12.0")
    assert (first.get("timestamp"), first.get("hostname")) == ("1970-01-01T00:16:40", "here")
    assert float(str(first.get("time"))) == 2.0
    named = [(case.get("classname"), case.get("name")) for case in first.iter("testcase")]
    assert len(named) == len(set(named)) == int(first.attrib["tests"])
    (crash,) = second.iter("error")
    assert (crash.get("type"), crash.get("message")) == ("crashed", "SIGSEGV")


def test_junit_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("junitparser")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--junit-xml"):
        junit.write(result(), tmp_path / "file" / "j.xml")


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_the_console_report_fits_and_is_plain_without_a_terminal(
    width: int, verbosity: int
) -> None:
    out = Console(file=StringIO(), width=width)
    console.show_result(result(), out, verbosity)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "1 passed, 1 failed, 1 error, 1 crashed, 1 timeout, 1 skipped in 2 files" in text
    assert "interrupted by Ctrl-C" in text
    assert "t/test_c.py" in text
    assert "\x1b" not in text
    assert "\x00" not in text
    text.encode("utf-8")
    if verbosity >= 0:
        assert "SIGSEGV" in text
        assert "tiny fp32 on cpu" in text
    if verbosity >= 0 and width >= 80:
        assert max(len(line) for line in text.splitlines() if "─" in line) <= width


def test_statistics_of_the_pool() -> None:
    out = Console(file=StringIO(), width=100)
    out.print(pool_stats.render(result()))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    for said in ("3 hits, 1 misses (75%)", "embedding:m", "in use", "cuda:0 H", "absent: no Mac"):
        assert said in text
    assert json.loads(pool_stats.to_json(result()))["pool"]["hits"] == 3


def test_a_run_without_a_pool_says_so() -> None:
    out = Console(file=StringIO(), width=100)
    out.print(pool_stats.render(fold([])))
    assert "no file of this run used the resource pool" in out.file.getvalue()  # type: ignore[attr-defined]


def test_a_run_of_which_nothing_is_known_has_its_line_in_the_history() -> None:
    out = Console(file=StringIO(), width=100)
    runs = [record(fold([])), record(result())]
    assert json.loads(history.to_json(runs, runs))["runs"][0]["exit_code"] is None
    history.show(runs, runs, out)
    assert "did not end" in out.file.getvalue()  # type: ignore[attr-defined]


def test_figures_for_people() -> None:
    assert [words.seconds(value) for value in (0.0042, 1.26, 59.6, 125)] == [
        "4 ms",
        "1.3 s",
        "60 s",
        "2 min 05 s",
    ]
    assert [words.megabytes(value) for value in (None, 0.04, 12.6)] == ["-", "0.0", "13"]
    assert words.shortened("abcdefghij", 10) == "abcdefghij"
    assert len(words.shortened("abcdefghijk", 10)) == 10
    assert words.printable("a\x1b\udcff\tb") == "a\\x1b\\udcff    b"
