"""The tables of the history, and runs written to them and read from them."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from rpgen.history.records import FileRecord, RunRecord, TestRecord

_TABLES = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    started_at REAL NOT NULL,
    ended_at REAL,
    exit_code INTEGER,
    host TEXT,
    stopped TEXT,
    versions TEXT NOT NULL,
    summary TEXT NOT NULL,
    pool TEXT NOT NULL
);
CREATE INDEX runs_by_start ON runs (started_at);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    path TEXT NOT NULL,
    outcome TEXT NOT NULL,
    seconds REAL NOT NULL,
    model TEXT,
    family TEXT,
    device TEXT,
    dtype TEXT,
    weights TEXT,
    passed INTEGER NOT NULL,
    total INTEGER NOT NULL,
    load_seconds REAL NOT NULL,
    predicted_mb REAL,
    peak_mb REAL,
    leaked_mb REAL
);
CREATE INDEX files_of_run ON files (run);
CREATE TABLE tests (
    file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    seconds REAL NOT NULL,
    message TEXT
);
CREATE INDEX tests_of_file ON tests (file);
"""
_FILE_COLUMNS = tuple(item.name for item in fields(FileRecord) if item.name != "tests")
_TEST_COLUMNS = tuple(item.name for item in fields(TestRecord))
_RUN_FACTS = ("run", "started_at", "ended_at", "exit_code", "host", "stopped")
_RUN_MAPPINGS = ("versions", "summary", "pool")  # as JSON
_RUN_COLUMNS = (*_RUN_FACTS, *_RUN_MAPPINGS)


def create_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        if statement.strip():
            connection.execute(statement)


def replace_run(connection: sqlite3.Connection, run: RunRecord) -> None:
    connection.execute("DELETE FROM runs WHERE run = ?", (_text(run.run),))
    facts = (getattr(run, name) for name in _RUN_FACTS)
    mappings = (json.dumps(dict(getattr(run, name))) for name in _RUN_MAPPINGS)
    _insert(connection, "runs", _RUN_COLUMNS, (*facts, *mappings))
    for file in run.files:
        given = tuple(getattr(file, name) for name in _FILE_COLUMNS)
        number = _insert(connection, "files", ("run", *_FILE_COLUMNS), (run.run, *given))
        for test in file.tests:
            found = tuple(getattr(test, name) for name in _TEST_COLUMNS)
            _insert(connection, "tests", ("file", *_TEST_COLUMNS), (number, *found))


def _insert(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], values: tuple[Any, ...]
) -> int:
    places = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
    return connection.execute(statement, tuple(map(_text, values))).lastrowid or 0


def _text(value: Any) -> Any:
    """SQLite takes no half characters, which names of files may hold."""
    if not isinstance(value, str):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()


def drop_old(connection: sqlite3.Connection, runs: int, with_tests: int) -> None:
    """Keep the latest `runs`, and the single tests of the latest `with_tests`."""
    older = "(SELECT run FROM runs ORDER BY started_at DESC, run DESC LIMIT -1 OFFSET ?)"
    connection.execute(f"DELETE FROM runs WHERE run IN {older}", (runs,))
    connection.execute(
        f"DELETE FROM tests WHERE file IN (SELECT id FROM files WHERE run IN {older})",
        (with_tests,),
    )


def finished_runs(connection: sqlite3.Connection) -> Iterator[str]:
    yield from (
        run for (run,) in connection.execute("SELECT run FROM runs WHERE ended_at NOT NULL")
    )


def read_runs(connection: sqlite3.Connection, count: int) -> Iterator[RunRecord]:
    """The latest `count`, oldest first."""
    newest = connection.execute(
        f"SELECT {', '.join(_RUN_COLUMNS)} FROM runs ORDER BY started_at DESC, run DESC LIMIT ?",
        (count,),
    ).fetchall()
    for row in reversed(newest):
        given = dict(zip(_RUN_COLUMNS, row, strict=True))
        given |= {name: json.loads(given[name]) for name in _RUN_MAPPINGS}
        yield RunRecord(**given, files=tuple(_files(connection, given["run"])))


def _files(connection: sqlite3.Connection, run: str) -> Iterator[FileRecord]:
    tests: dict[int, list[TestRecord]] = {}
    found = connection.execute(
        f"SELECT tests.file, {', '.join(f'tests.{name}' for name in _TEST_COLUMNS)} FROM tests "
        "JOIN files ON files.id = tests.file WHERE files.run = ? ORDER BY tests.rowid",
        (run,),
    )
    for number, name, outcome, seconds, message in found:
        tests.setdefault(number, []).append(TestRecord(name, outcome, seconds, message))
    columns = ", ".join(_FILE_COLUMNS)
    rows = connection.execute(f"SELECT id, {columns} FROM files WHERE run = ? ORDER BY id", (run,))
    for number, *values in rows:
        given = dict(zip(_FILE_COLUMNS, values, strict=True))
        yield FileRecord(**given, tests=tuple(tests.get(number, ())))
