"""Keeping the history up to date with the runs that left a journal."""

from collections.abc import Callable
from pathlib import Path

from rpgen.history.database import History
from rpgen.history.records import RunRecord, record
from rpgen.run.journal import read
from rpgen.run.results import RunResult, fold
from rpgen.run.state import all_runs


def remember(state: Path, result: RunResult, warn: Callable[[str], None]) -> None:
    """Put a run into the history of its state folder; `DataError` where there can be none."""
    History(state, warn).add([record(result)])


def catch_up(state: Path, warn: Callable[[str], None]) -> History:
    """The history with every run of which there is a journal.

    Runs that were cut off did not get to write themselves down; after a broken history was
    set aside this brings back what can be brought back. A run that still goes on is read anew
    each time.
    """
    history = History(state, warn)
    known = history.finished()
    missing = [folder for folder in all_runs(state) if folder.run not in known]
    records = [record(fold(read(folder.journal))) for folder in missing]
    history.add(each for each in records if each.run)
    return history


def from_journals(state: Path, count: int) -> tuple[RunRecord, ...]:
    """The latest runs without a database, for a folder in which there can be none."""
    folders = all_runs(state)[-count:]
    records = [record(fold(read(folder.journal))) for folder in folders]
    return tuple(each for each in records if each.run)
