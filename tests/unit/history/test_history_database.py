"""The database of runs: what goes in comes out, it stays bounded, and nothing breaks it."""

import sqlite3
import threading
from pathlib import Path

import pytest

from rpgen.errors import DataError
from rpgen.history import database
from rpgen.history.database import APPLICATION, History
from rpgen.history.records import FileRecord, RunRecord, TestRecord


def run(name: str, started: float = 0.0, ended: float | None = 9.0) -> RunRecord:
    tests = (
        TestRecord("t.py::a", "passed", 0.5),
        TestRecord("t.py::b\udcff", "failed", 0.1, "1 != 2'; DROP TABLE runs"),
    )
    return RunRecord(
        name,
        started,
        ended,
        1 if ended else None,
        "here",
        None,
        {"torch": "2.13.0", "transformers": None},
        {"files": 1, "tests": 2, "passed": 1, "failed": 1},
        {"hits": 3, "hit_ratio": 0.5},
        (FileRecord("t.py", "failed", 2.0, "m", "vision", "cuda:0", "fp16", "tiny", 1, 2,
                    0.25, 10.0, 12.5, None, tests),),
    )  # fmt: skip


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([run("r1", 1.0), run("r2", 2.0, None)])
    first, second = history.last(10)
    assert second.ended_at is second.exit_code is None
    (file,) = first.files
    assert [test.id for test in file.tests] == ["t.py::a", "t.py::b\\udcff"]
    given = run("r1", 1.0)
    assert (first.versions, first.summary, first.pool) == (
        given.versions, given.summary, given.pool
    )  # fmt: skip
    assert file.is_like(given.files[0])
    assert file.peak_mb == 12.5
    assert history.finished() == {"r1"}


def test_a_run_that_is_put_in_again_takes_its_own_place(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([run("r1", ended=None)])
    history.add([run("r1", ended=5.0), run("r1", ended=6.0)])
    (only,) = history.last(10)
    assert only.ended_at == 6.0
    with sqlite3.connect(history.path) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("runs", "files", "tests")
        ]
    connection.close()
    assert counts == [1, 1, 2]


def test_it_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "KEPT_RUNS", 5)
    monkeypatch.setattr(database, "KEPT_RUNS_WITH_TESTS", 2)
    history = History(tmp_path)
    for number in range(9):
        history.add([run(f"r{number}", float(number))])
    kept = history.last(100)
    assert [each.run for each in kept] == ["r4", "r5", "r6", "r7", "r8"]
    assert [len(each.files[0].tests) for each in kept] == [0, 0, 0, 2, 2]


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE somebody (else_ TEXT)")
    connection.close()


def without_a_table(path: Path) -> None:
    History(path.parent).add([run("lost")])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE tests")
    connection.close()


def torn(path: Path) -> None:
    History(path.parent).add([run(f"lost{number}") for number in range(50)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def overwritten_in_the_middle(path: Path) -> None:
    History(path.parent).add([run(f"lost{number}") for number in range(50)])
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xa5" * (len(whole) - 4096)
    path.write_bytes(whole)


def no_json(path: Path) -> None:
    History(path.parent).add([run("lost")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET versions = '{'")
    connection.close()


BROKEN = {
    "text": lambda path: path.write_text("this is no database, however long it may be" * 100),
    "foreign": foreign,
    "without a table": without_a_table,
    "torn": torn,
    "overwritten": overwritten_in_the_middle,
    "no json": no_json,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_torn_or_foreign_is_set_aside_and_never_lost(tmp_path: Path, kind: str) -> None:
    path = tmp_path / database.NAME
    BROKEN[kind](path)
    before = path.read_bytes()
    said: list[str] = []
    history = History(tmp_path, said.append)
    history.last(100)  # what is only found while reading is found now
    history.add([run("new")])
    assert "new" in [each.run for each in history.last(100)]
    (aside,) = tmp_path.glob("*.broken-*")
    assert aside.read_bytes() == before
    assert len(said) == 1
    assert aside.name in said[0]


def test_broken_ones_do_not_take_each_others_name(tmp_path: Path) -> None:
    path = tmp_path / database.NAME
    for number in range(3):
        path.write_text(f"broken {number} " * 100)
        History(tmp_path).add([run("new")])
    assert len(list(tmp_path.glob("*.broken-*"))) == 3


def test_a_history_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([run("r1")])
    with sqlite3.connect(history.path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(DataError, match="later rpgen"):
        history.add([run("r2")])
    assert not list(tmp_path.glob("*.broken-*"))
    assert APPLICATION.to_bytes(4, "big") == b"rpg1"


def test_a_place_where_none_can_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / database.NAME).mkdir()
    with pytest.raises(DataError, match="can't be used"):
        History(tmp_path).last(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can't be used"):
        History(tmp_path / "file").last(1)


@pytest.mark.parametrize("broken", [False, True])
def test_runs_that_end_at_once_lose_nothing(tmp_path: Path, broken: bool) -> None:
    if broken:
        (tmp_path / database.NAME).write_text("not a database " * 100)
    start = threading.Barrier(8)

    def end(number: int) -> None:
        start.wait()
        History(tmp_path).add([run(f"r{number}", float(number))])

    threads = [threading.Thread(target=end, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(History(tmp_path).last(100)) == 8
    assert len(list(tmp_path.glob("*.broken-*"))) == broken
