"""Types are explored in processes; one that dies or hangs costs its type alone."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rpgen.architectures import __main__ as exploring
from rpgen.architectures.__main__ import explore_all, main
from rpgen.architectures.record import begin_journal, read_journal
from rpgen.errors import UsageError

ONE = """
import json, os, sys, time
for name in sys.argv[1:]:
    if name == "--anew":
        continue
    print(json.dumps({"begun": name}), flush=True)
    if name == "crash":
        os._exit(7)
    if name == "hang":
        time.sleep(600)
    entry = {"rung": 1, "anew": "--anew" in sys.argv}
    print(json.dumps({"type": name, "found": entry}), flush=True)
"""
COMMAND = (sys.executable, "-c", ONE)


def found(journal: Path) -> dict[str, Any]:
    return {name: row["found"] for name, row in read_journal(journal).items()}


@pytest.mark.processes
def test_a_type_that_takes_its_process_down_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "SECONDS", 2.0)
    journal = tmp_path / "j.jsonl"
    explore_all(["a", "crash", "b", "hang", "c"], journal, 1, command=COMMAND)
    fine = {"rung": 1, "anew": False}
    assert found(journal) == {
        "a": fine, "b": fine, "c": fine,
        "crash": {"problem": "the process ended with 7"},
        "hang": {"problem": "took longer than 2 s"},
    }  # fmt: skip


@pytest.mark.processes
def test_types_of_the_journal_are_not_explored_again(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    journal.write_text(json.dumps({"type": "a", "found": {"rung": 9}}) + "\n")
    explore_all(["a", "b"], journal, 2, anew=True, command=COMMAND)
    assert found(journal) == {"a": {"rung": 9}, "b": {"rung": 1, "anew": True}}


def test_a_run_begins_with_an_empty_journal_and_goes_on_only_when_told(tmp_path: Path) -> None:
    journal = tmp_path / "new" / "j.jsonl"
    begin_journal(journal, resume=True)
    with journal.open("a") as stream:
        stream.write(json.dumps({"type": "a", "found": {}}) + "\n")
    begin_journal(journal, resume=True)
    assert list(read_journal(journal)) == ["a"]
    begin_journal(journal, resume=False)
    assert read_journal(journal) == {}


@pytest.mark.parametrize("text", ["", '{"made_with": {"transformers": "5.0.1"}}\n', "torn"])
def test_a_journal_of_another_version_is_not_gone_on_with(tmp_path: Path, text: str) -> None:
    journal = tmp_path / "j.jsonl"
    journal.write_text(text)
    with pytest.raises(UsageError, match="another transformers"):
        begin_journal(journal, resume=True)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `main` did, with nothing explored but one type."""
    done: list[Any] = []

    def explore(types: list[str], journal: Path, processes: int, *, anew: bool) -> None:
        done.append(("explored", list(types), anew))
        with journal.open("a") as stream:
            stream.write(json.dumps({"type": "bert", "found": {"rung": 5}}) + "\n")

    monkeypatch.setenv("RPGEN_MODEL_DB", "")  # which `main` sets
    monkeypatch.setattr(exploring, "explore_all", explore)
    monkeypatch.setattr(exploring, "refresh", lambda path: done.append("refreshed"))
    return done


def database(folder: Path) -> Path:
    path = folder / "db.json"
    types = {"bert": {"config": "BertConfig", "classes": {"AutoModel": "BertModel"}}}
    content = {"schema": 1, "made_with": {}, "architectures": types, "models": {}}
    path.write_text(json.dumps(content))
    return path


def test_one_command_refreshes_and_explores(tmp_path: Path, steps: list[Any]) -> None:
    path, journal = database(tmp_path), tmp_path / "j.jsonl"
    words = ["--output", str(path), "--journal", str(journal)]
    assert main([*words, "--refresh"]) == 0
    assert steps == ["refreshed", ("explored", ["bert"], False)]
    assert json.loads(path.read_text())["architectures"]["bert"]["tiny"] == {"rung": 5}


def test_a_second_run_explores_again_and_records_nothing_old(
    tmp_path: Path, steps: list[Any]
) -> None:
    path, journal = database(tmp_path), tmp_path / "j.jsonl"
    begin_journal(journal, resume=False)
    with journal.open("a") as stream:
        stream.write(json.dumps({"type": "clip", "found": {"rung": 1}}) + "\n")
    words = ["--output", str(path), "--journal", str(journal)]
    assert main([*words, "bert", "--anew"]) == 0
    assert steps == [("explored", ["bert"], True)]
    assert list(read_journal(journal)) == ["bert"]
    assert main([*words, "--resume", "bert"]) == 0
    assert "clip" not in read_journal(journal)
