"""The state folder: one folder per run, and which is the latest."""

from pathlib import Path

import pytest

from rpgen.errors import OutputError
from rpgen.run import events
from rpgen.run.journal import Journal
from rpgen.run.state import (
    RunFolder,
    RunLock,
    all_runs,
    discard,
    forget_old_runs,
    is_going_on,
    last_asked,
    latest_run,
    new_run,
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".rpgen"


def ran(now: float) -> RunFolder:
    """A run that began with a file."""
    folder, _ = new_run(now=now)
    journal = Journal(folder.journal)
    journal.append(events.RunAsked(run=folder.run, folder=".", options={}))
    journal.append(events.FileStarted(path="a.py", worker=1))
    journal.close()
    return folder


def test_two_runs_of_the_same_moment_have_their_own_folders(state: Path) -> None:
    (first, _), (second, _) = new_run(now=0.0), new_run(now=0.0)
    assert first.path != second.path
    assert (state / ".gitignore").read_text() == "*\n"
    assert (state / "latest").read_text().strip() == second.run


def test_the_latest_run_is_found_also_where_its_mark_is_lost(state: Path) -> None:
    assert latest_run() is None
    for moment in (0.0, 100.0):
        folder = ran(now=moment)
    assert latest_run() == folder
    (state / "latest").write_text("nonsense\0")
    assert latest_run() == folder
    (state / "latest").unlink()
    assert latest_run() == folder


def test_a_run_that_came_to_nothing_is_not_the_latest(state: Path) -> None:
    good = ran(now=0.0)
    refused, _ = new_run(now=100.0)
    refused.journal.write_text("")
    assert latest_run() == good
    assert last_asked() == refused
    discard(refused)
    assert not refused.path.exists()
    assert last_asked() == latest_run() == good
    assert (state / "latest").read_text().strip() == good.run
    discard(good)
    assert good.path.exists()  # it has run something


def test_a_journal_of_other_bytes_gives_way_to_the_run_before(state: Path) -> None:
    good, torn = ran(now=0.0), ran(now=100.0)
    assert latest_run() == torn
    torn.journal.write_bytes(bytes(range(256)) * 9)
    assert latest_run() == good


def test_a_run_is_going_on_as_long_as_somebody_holds_its_lock(state: Path) -> None:
    good = ran(now=0.0)
    begun, _ = new_run(now=100.0)
    begun.journal.write_text("")
    lock = RunLock(begun)
    assert is_going_on(begun)
    assert latest_run() == begun
    lock.release()
    assert not is_going_on(begun)
    assert latest_run() == good


def test_old_runs_go_but_none_that_may_still_be_going_on(state: Path) -> None:
    folders = [new_run(now=moment * 100.0)[0] for moment in range(5)]
    for folder in folders:
        folder.journal.write_text("")
    for folder in folders[1:]:
        folder.report.write_text("{}")
    forget_old_runs(folders[-1], keep=2)
    assert all_runs() == [folders[0], folders[3], folders[4]]


def test_an_unwritable_state_folder_moves_the_run_elsewhere_with_a_warning(state: Path) -> None:
    state.write_text("a file")
    folder, warning = new_run()
    assert folder.path.is_dir()
    assert str(folder.path).startswith(str(warning).rpartition(" ")[2])


def test_a_state_folder_that_was_named_must_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RPGEN_STATE_DIR", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="RPGEN_STATE_DIR"):
        new_run()
