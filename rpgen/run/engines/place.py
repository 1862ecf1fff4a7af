"""The far side of a worker on another machine: an actor that holds one worker at a time.

Plain Python, so that it can be tested without Ray. It starts workers as the local engine does,
with a journal of their own in a folder for temporary files; `poll` hands over what is new in
it. What the supervisor writes itself, it writes at home.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rpgen.run.channel import Settings, decode
from rpgen.run.engines.local import LocalEngine, LocalWorker

_NEWS_SECONDS = 0.05
_STEP = 0.005


@dataclass(frozen=True)
class Told:
    """`lines` are whole lines of the worker's journal; with a `status` they are the last."""

    lines: bytes
    status: int | None
    memory_mb: float | None


class Place:
    """Made in the project's folder as the supervisor knows it: it has to be there, too."""

    def __init__(self, folder: str) -> None:
        os.chdir(folder)
        self._engine = LocalEngine()
        self._files = tempfile.TemporaryDirectory(prefix="rpgen-worker-")
        self._worker: LocalWorker | None = None
        self._read = 0

    def start(self, settings: str, environment: Mapping[str, str]) -> int:
        """Start a worker, with `environment` over that of this process; its process id."""
        given = Settings.from_json(settings)
        home = Path(self._files.name) / str(given.worker)
        home.mkdir()
        here = replace(
            given,
            run=f"{given.run}@{os.getpid()}",  # another actor of the run may be on this machine
            parent=os.getpid(),
            journal=str(home / "journal.jsonl"),
            log=str(home / "worker.log"),
            stack=str(home / "worker.stack"),
            pytest_cache=str(home / "pytest_cache"),
        )
        (home / "journal.jsonl").touch()
        self._journal, self._read = home / "journal.jsonl", 0
        (slot,) = self._engine.slots()
        self._worker = self._engine.start(here, {**os.environ, **environment}, slot)
        return self._worker.pid

    def send(self, command: bytes) -> None:
        self._here.send(decode(command))

    def poll(self) -> Told:
        """What is new. Waits for it, but not for long."""
        deadline = time.monotonic() + _NEWS_SECONDS
        while True:
            status = self._here.exit_status()  # before reading, so that nothing is missed
            lines = self._news()
            if lines or status is not None or time.monotonic() >= deadline:
                with contextlib.suppress(OSError):
                    self._here.bound_log()
                return Told(lines, status, self._here.memory_mb())
            time.sleep(_STEP)

    def _news(self) -> bytes:
        with self._journal.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole

    def interrupt(self) -> None:
        self._here.interrupt()

    def show_stacks(self) -> str:
        return self._here.show_stacks()

    def stacks(self) -> str:
        return self._here.stacks()

    def oom_kills(self) -> int | None:
        return self._here.oom_kills()

    def printed_since(self, begin: int) -> str | None:
        return self._here.printed_since(begin)

    def last_words(self) -> str:
        return self._here.last_words()

    def end(self, patience: float) -> Told:
        """End the worker and all that it started; what it still had to say."""
        self._here.end(patience)
        return Told(self._news(), self._here.exit_status(), None)

    @property
    def _here(self) -> LocalWorker:
        assert self._worker is not None, "a worker is started first"
        return self._worker
