"""The database of earlier runs, `history.sqlite` in the state folder.

Two runs may end at once: a lock beside the file lets them in one after the other. What is
torn, or is no history of ours, is set aside under another name, never trusted and never lost;
what the journals still have is then read into a fresh one. A history of a later version is
left as it is. `DataError` says why there is none to be had; no run fails for that.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from rpgen.errors import DataError
from rpgen.history import rows
from rpgen.history.records import RunRecord

NAME = "history.sqlite"
SCHEMA = 1
APPLICATION = 0x72706731  # "rpg1": SQLite's own place for whose file this is
KEPT_RUNS = 1000
KEPT_RUNS_WITH_TESTS = 100
WAIT_SECONDS = 30.0
_NOT_OURS = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_COMPANIONS = ("", "-journal", "-wal", "-shm")

Result = TypeVar("Result")


class _NotOursError(Exception):
    """The file is torn, or another program's."""


class History:
    """`warn` hears of a file that was set aside."""

    def __init__(self, state: Path, warn: Callable[[str], None] = lambda message: None) -> None:
        self.path = state / NAME
        self._warn = warn

    def add(self, runs: Iterable[RunRecord]) -> None:
        """Put runs in, in the place of what there was of them, and drop the oldest."""
        given = tuple(runs)

        def write(connection: sqlite3.Connection) -> None:
            for run in given:
                rows.replace_run(connection, run)
            rows.drop_old(connection, KEPT_RUNS, KEPT_RUNS_WITH_TESTS)

        self._do(write)

    def last(self, count: int) -> tuple[RunRecord, ...]:
        """The latest runs, oldest first, whole."""
        return self._do(lambda connection: tuple(rows.read_runs(connection, count)))

    def finished(self) -> frozenset[str]:
        """The names of the runs that are known with their end."""
        return self._do(lambda connection: frozenset(rows.finished_runs(connection)))

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do it in one transaction; in a fresh file if this one is not ours.

        Everything goes under one lock. SQLite's own would do for a file that stays, but it finds
        its journal by name: whoever still has the file open that was just set aside takes the
        journal of the fresh one for its own, and deletes it.
        """
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{NAME}.lock"), timeout=WAIT_SECONDS):
                try:
                    return self._in_transaction(work)
                except _NotOursError as reason:
                    self._set_aside(str(reason))
                return self._in_transaction(work)
        except Timeout as error:
            message = f"the history {self.path} is in use by another process that does not end"
            raise DataError(message) from error
        except (_NotOursError, sqlite3.Error, OSError) as error:
            raise DataError(f"the history {self.path} can't be used: {error}") from error

    def _in_transaction(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _prepare(connection)
                done = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # the first error is the one that tells
                    connection.execute("ROLLBACK")
                raise
            return done

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_OURS or _lacks_a_table(error):
                raise _NotOursError(str(error)) from error
            raise
        except ValueError as error:
            raise _NotOursError(f"a value in it makes no sense: {error}") from error
        finally:
            connection.close()

    def _set_aside(self, reason: str) -> None:
        """Rename it with what SQLite keeps beside it."""
        aside = _free_name(self.path)
        for companion in _COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{companion}").rename(f"{aside}{companion}")
        self._warn(f"{self.path} is no history of rpgen's ({reason}): it is now {aside.name}")


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file; refuse one that is somebody else's."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION and schema == SCHEMA:
        return
    if application == APPLICATION and schema > SCHEMA:
        raise DataError(f"it has schema {schema}, written by a later rpgen")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise _NotOursError("it has tables of another program")
    rows.create_tables(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _lacks_a_table(error: sqlite3.DatabaseError) -> bool:
    return str(error).startswith(("no such table", "no such column")) or "has no column" in str(
        error
    )


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    return aside
