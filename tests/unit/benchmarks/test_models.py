"""The table of well-known models: a row a file, and what falls short says why."""

import json
from pathlib import Path
from typing import Any

from benchmarks import models
from benchmarks.sweep import Origin

SOURCE = '''"""Tests."""
{imports}
CHECKPOINT = Checkpoint(
    "own/{name}",
    auto_class="AutoModelForMaskedLM",
    model_type="bert",
)

# Left out:
# - alone: it draws: in a
#   run | of it
# - fp16: transformers keeps wo in float32


class TestIt:
'''
ORIGIN = Origin("abc1234", "c", "5.23.0", "d")


def a_test(outcome: str, message: str | None = None) -> dict[str, Any]:
    return {"id": "x.py::TestIt::test_x", "outcome": outcome, "message": message}


def rows(folder: Path) -> list[models.Row]:
    """Those of a model that passes and of one that does not."""
    files = []
    for name, outcome, said in (
        ("b", "failed", "AssertionError: differs | by 1\nmore"), ("A", "passed", None)
    ):  # fmt: skip
        path = folder / f"test_{name}.py"
        imports = "from rpgen.models.example_inputs import example_inputs" if name == "b" else ""
        path.write_text(SOURCE.format(name=name, imports=imports))
        tests = [a_test(outcome, said), a_test("passed"), a_test("skipped", "not here")]
        files.append({"path": str(path), "message": None, "duration_seconds": 1.5, "tests": tests})
    (folder / "batch-000.json").write_text(json.dumps({"files": files}))
    return models.read(folder)


def test_rows_come_from_the_reports_and_the_files(tmp_path: Path) -> None:
    first, second = rows(tmp_path)
    assert (first.model, first.ok, first.own, first.reason) == ("own/A", True, True, "")
    assert (second.model, second.ok, second.own) == ("own/b", False, False)
    assert (second.passed, second.tests, second.skipped) == (1, 2, 1)
    assert second.reason == "test_x: AssertionError: differs / by 1 more"
    told = "alone: it draws: in a run / of it; fp16: transformers keeps wo in float32"
    assert first.left_out == told


def test_a_file_that_leaves_nothing_out_says_nothing() -> None:
    assert models.left_out("X = 1\n") == ""


def test_the_paper_has_a_row_for_each_and_the_figures(tmp_path: Path) -> None:
    text = models.paper(rows(tmp_path), 3.0, ORIGIN)
    assert "1 of 2 pass their whole file (50.0 %); 2 tests of 6 were skipped" in text
    assert "2 well-known models, 1 with the file of their family" in text
    assert "at abc1234, with transformers 5.23.0" in text
    table = [line for line in text.splitlines() if line.startswith("| own/")]
    assert len(table) == 2
    assert all(line.count(" | ") == 8 for line in table)


def test_a_run_that_was_stopped_has_no_minutes(tmp_path: Path) -> None:
    assert "minutes" not in models.summary(rows(tmp_path), None)


def test_a_file_whose_every_test_was_skipped_has_not_passed(tmp_path: Path) -> None:
    path = tmp_path / "test_c.py"
    path.write_text(SOURCE.format(name="c", imports=""))
    file = {"path": str(path), "message": None, "duration_seconds": None,
            "tests": [a_test("skipped", "no room")]}  # fmt: skip
    assert not models.row_of(file).ok
