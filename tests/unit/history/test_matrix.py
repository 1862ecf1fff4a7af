"""Models by device and versions, as values, on a terminal and as JSON."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from rpgen.history.matrix import build
from rpgen.history.records import FileRecord, RunRecord
from rpgen.report import matrix as report


def run(number: int, outcome: str, torch: str = "1", **more: object) -> RunRecord:
    device = str(more.pop("device", "cuda:1"))
    files = (
        FileRecord("a.py", outcome, 1.0, "org/a", None, device, "fp16", "tiny", 3, 4),
        FileRecord("b.py", "passed", 1.0, "b", None, "cpu", "fp32", "tiny", 1, 1),
        FileRecord("none.py", "crashed", 1.0),
    )
    made = RunRecord(f"r{number}", number, None, None, "h", versions={"torch": torch}, files=files)
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_last_result_of_each_and_what_it_was_before() -> None:
    matrix = build([run(0, "passed"), run(1, "failed"), run(2, "passed", torch="2")])
    assert matrix.models == ("b", "org/a")
    headings = [column.heading(with_host=False) for column in matrix.columns]
    assert headings == [
        ("cpu", "torch 2"), ("cuda", "torch 2"), ("cpu", "torch 1"), ("cuda", "torch 1")
    ]  # fmt: skip
    old = matrix.cells["org/a", matrix.columns[3]]
    assert (old.outcome, old.before, old.run, old.passed, old.total) == (
        "failed", "passed", "r1", 3, 4
    )  # fmt: skip
    assert matrix.cells["b", matrix.columns[0]].before is None


def test_the_same_device_of_two_hosts_is_two_columns() -> None:
    matrix = build([run(0, "passed"), run(1, "passed", host="other")])
    assert matrix.several_hosts
    assert len(matrix.columns) == 4
    assert matrix.columns[0].heading(with_host=True)[-1] == "on other"


def test_a_model_that_can_not_be_loaded_fails_where_it_was() -> None:
    def with_a(file: FileRecord) -> RunRecord:
        return replace(run(1, "passed"), files=(file, run(1, "passed").files[1]))

    gone = FileRecord("a.py", "error", 1.0, "org/a")
    known = build([run(0, "passed"), with_a(gone)])
    assert [column.device for column in known.columns] == ["cpu", "cuda"]
    assert known.cells["org/a", known.columns[1]].outcome == "error"
    assert known.cells["org/a", known.columns[1]].before == "passed"
    fresh = build([with_a(gone)])
    assert [column.device for column in fresh.columns] == ["cpu"]
    alone = build([replace(run(0, "passed"), files=(gone,))])
    assert [column.device for column in alone.columns] == ["no device"]


def test_several_files_of_a_model_are_one_cell_and_the_worst_tells() -> None:
    made = run(0, "passed")
    more = (*made.files, replace(made.files[0], path="c.py", outcome="timeout", passed=0))
    (cell,) = [
        cell for (model, _), cell in build([replace(made, files=more)]).cells.items()
        if model == "org/a"
    ]  # fmt: skip
    assert (cell.outcome, cell.passed, cell.total) == ("timeout", 3, 8)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_newest_columns_fit_and_the_rest_are_counted(width: int) -> None:
    matrix = build([run(number, "passed", torch=f"2.{number}") for number in range(12)])
    out = Console(file=StringIO(), width=width)
    out.print(report.table(matrix, out.width))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "torch 2.11" in text
    assert "older" in text
    assert max(map(len, text.splitlines())) <= width


def test_as_json_and_with_an_outcome_of_a_later_version() -> None:
    loaded = json.loads(report.to_json(build([run(0, "exploded")])))
    assert loaded["schema"] == 1
    assert {result["outcome"] for result in loaded["results"]} == {"exploded", "passed"}
    out = Console(file=StringIO(), width=80)
    out.print(report.table(build([run(0, "exploded")]), 80))
    assert "exploded" in out.file.getvalue()  # type: ignore[attr-defined]
    assert json.loads(report.to_json(build([])))["results"] == []
