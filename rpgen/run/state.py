"""What runs leave behind in the state folder: `runs/<id>/` each, and which one is the latest.

The history of runs that are no longer kept is in a file of its own: see `rpgen.history`.

```
.rpgen/
  .gitignore            "*"
  latest                the id of the run that was started last
  history.sqlite        what is remembered of every run
  runs/20261123-050312-4711/
    journal.jsonl       every event
    lock                held as long as the run lasts
    report.json         the JSON report, once the run has ended
    report.html         the page, likewise
    worker.log          what the worker printed, bounded; worker-slot-1.log of the next slot
    worker-1.stack      the stacks of a worker that crashed or hung
    pytest_cache/       what pytest keeps for the tests
```
"""

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rpgen.errors import OutputError, UsageError
from rpgen.paths import state_folder
from rpgen.whole_files import write_whole

KEPT_RUNS = 100
_FILE_STARTED = b'"event":"file_started"'


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; its name is the id of the run."""

    path: Path

    @property
    def run(self) -> str:
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def log(self) -> Path:
        return self.log_of(0)

    def log_of(self, slot: int) -> Path:
        """What the workers of one slot print."""
        return self.path / (f"worker-slot-{slot}.log" if slot else "worker.log")

    def logs(self) -> list[Path]:
        return sorted(self.path.glob("worker*.log"))

    def stack(self, worker: int) -> Path:
        return self.path / f"worker-{worker}.stack"


class RunLock:
    """Held by whoever supervises a run, for as long as it lives: the kernel lets go of it."""

    def __init__(self, folder: RunFolder) -> None:
        import fcntl

        self._file = (folder.path / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UsageError(
                f"the run {folder.run} is still going on in another process; wait for its end"
            ) from error

    def release(self) -> None:
        self._file.close()


def new_run(now: float | None = None) -> tuple[RunFolder, str | None]:
    """A fresh folder that no other run has, and a warning where it had to lie elsewhere.

    Where the project's folder can't be written the run goes to the folder for temporary
    files; where the person named the state folder, that is an error.
    """
    state = state_folder()
    try:
        return _create(state, now), None
    except OSError as error:
        if os.environ.get("RPGEN_STATE_DIR"):
            raise OutputError(
                f"the state folder {state} can't be written ({error.strerror}); "
                "RPGEN_STATE_DIR must name a folder that can be"
            ) from error
        import tempfile

        elsewhere = Path(tempfile.mkdtemp(prefix="rpgen-"))
        warning = (
            f"{state} can't be written ({error.strerror}): this run's files are in {elsewhere}"
        )
        return _create(elsewhere, now), warning


def _create(state: Path, now: float | None) -> RunFolder:
    runs = state / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    for attempt in range(1000):
        folder = runs / f"{stamp}-{os.getpid()}{f'-{attempt}' if attempt else ''}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        _point_latest(state, folder.name)
        return RunFolder(folder)
    raise OSError(f"{runs} already has a thousand runs of this second")


def _point_latest(state: Path, run: str) -> None:
    write_whole(state / "latest", run + "\n")


def all_runs(state: Path | None = None) -> list[RunFolder]:
    """Every run that has a journal, oldest first."""
    runs = (state or state_folder()) / "runs"
    if not runs.is_dir():
        return []
    found = [RunFolder(folder) for folder in sorted(runs.iterdir()) if folder.is_dir()]
    return [run for run in found if run.journal.is_file()]


def is_going_on(folder: RunFolder) -> bool:
    """Whether somebody supervises this run; False where locks can't tell."""
    try:
        RunLock(folder).release()
    except UsageError:
        return True
    except (OSError, ImportError):
        return False
    return False


def has_run(folder: RunFolder) -> bool:
    """Whether any file of it was begun: not in a run that was refused, or by a torn journal."""
    try:
        with folder.journal.open("rb") as lines:
            return any(_FILE_STARTED in line for line in lines)
    except OSError:
        return False


def discard(folder: RunFolder) -> None:
    """Drop a run that came to nothing: what was the latest one before is so again."""
    if has_run(folder):
        return
    shutil.rmtree(folder.path, ignore_errors=True)
    state = folder.path.parents[1]
    left = latest_run(state)
    with contextlib.suppress(OSError):
        if left is None:
            (state / "latest").unlink(missing_ok=True)
        else:
            _point_latest(state, left.run)


def latest_run(state: Path | None = None) -> RunFolder | None:
    """The last run that ran something or is going on, None where there was none."""
    state = state or state_folder()
    last = last_asked(state)
    newest_first = [last, *reversed(all_runs(state))] if last else []
    return next((run for run in newest_first if has_run(run) or is_going_on(run)), None)


def last_asked(state: Path | None = None) -> RunFolder | None:
    """The run that was asked for last, however far it got; None where there was none."""
    state = state or state_folder()
    with contextlib.suppress(OSError, ValueError):
        named = RunFolder(state / "runs" / (state / "latest").read_text().strip())
        if named.journal.is_file():
            return named
    runs = all_runs(state)
    return runs[-1] if runs else None


def forget_old_runs(current: RunFolder, keep: int = KEPT_RUNS) -> None:
    """Drop the oldest finished runs beyond `keep`; one that may still be going on stays."""
    runs = [run for run in all_runs(current.path.parents[1]) if run.run != current.run]
    for run in runs[: max(0, len(runs) + 1 - keep)]:
        if run.report.exists():
            shutil.rmtree(run.path, ignore_errors=True)
