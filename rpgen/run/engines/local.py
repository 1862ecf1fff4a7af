"""Workers as child processes on this machine: spawned, never forked, each its own session."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import rpgen
from rpgen.errors import WorkerError
from rpgen.run.channel import Command, Settings, encode
from rpgen.run.children import kill_marked
from rpgen.run.measure import resident_mb

_MARK = "RPGEN_WORKER"
_STEP = 0.005


class LocalWorker:
    """A child process with its own process group, so that it can be killed with its children."""

    def __init__(self, process: "subprocess.Popen[bytes]", mark: str) -> None:
        self.pid = process.pid
        self._process = process
        self._mark = mark
        self._ended = False  # its number may belong to another process by now

    def send(self, command: Command) -> None:
        if self._ended or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it is dead: its exit status says how
            self._process.stdin.write(encode(command))
            self._process.stdin.flush()

    def exit_status(self) -> int | None:
        return self._process.poll()

    def interrupt(self) -> None:
        self._signal(signal.SIGINT)

    def show_stacks(self) -> None:
        number = getattr(signal, "SIGUSR1", None)
        if number is not None:
            self._signal(number)

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def memory_mb(self) -> float | None:
        return resident_mb(self.pid)

    def end(self, patience: float) -> None:
        if self._ended:
            return
        deadline = time.monotonic() + patience
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(_STEP)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._ended = True
        kill_marked(self._mark)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


class LocalEngine:
    def start(self, settings: Settings, environment: Mapping[str, str]) -> LocalWorker:
        mark = f"{Path(settings.journal).parent.name}-{settings.worker}"
        command = [sys.executable, "-P", "-m", "rpgen.run.worker", settings.to_json()]
        try:
            with open(settings.log, "ab", buffering=0) as log:  # noqa: PTH123 - unbuffered
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env={**_importable(environment), _MARK: mark},
                    start_new_session=True,
                )
        except OSError as error:
            raise WorkerError(f"the worker process can't be started: {error}") from error
        return LocalWorker(process, f"{_MARK}={mark}")


def _importable(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` in which the worker finds this rpgen, also one that isn't installed."""
    root = Path(rpgen.__file__).resolve().parents[1]
    if root.name in ("site-packages", "dist-packages"):
        return dict(environment)
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if str(root) not in paths:
        paths.append(str(root))
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}
