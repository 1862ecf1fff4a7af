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
from rpgen.run import diagnosis, keeper, output
from rpgen.run.channel import Command, Settings, encode
from rpgen.run.engines.interface import Slot
from rpgen.run.measure import resident_mb

_STEP = 0.005
_STACK_SECONDS = 0.5


class LocalWorker:
    """A child process with its own process group, so that it can be killed with its children."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", settings: Settings, keeper: "Keeper"
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._settings = settings
        self._keeper = keeper
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

    def show_stacks(self) -> str:
        before = self.stacks()
        number = getattr(signal, "SIGUSR1", None)
        if number is not None:
            self._signal(number)
        deadline = time.monotonic() + _STACK_SECONDS
        while self.stacks() == before and time.monotonic() < deadline:
            time.sleep(_STEP)
        time.sleep(_STEP)  # it writes them frame by frame
        return self.stacks()

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def stacks(self) -> str:
        return diagnosis.stacks(Path(self._settings.stack))

    def memory_mb(self) -> float | None:
        return resident_mb(self.pid)

    def oom_kills(self) -> int | None:
        return diagnosis.oom_kills()

    def printed_since(self, begin: int) -> str | None:
        return output.printed_since(begin, self._settings.log)

    def last_words(self) -> str:
        return output.last_words(Path(self._settings.log))

    def bound_log(self) -> None:
        output.bound(Path(self._settings.log))

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
        keeper.kill_marked(keeper.mark(self._settings.run, self._settings.worker))
        self._keeper.tell("over", self.pid)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


class Keeper:
    """The process that ends what is left of the workers if this one is killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, run: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, run],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )

    def tell(self, word: str, number: int | None = None) -> None:
        if self._process is None or self._process.stdin is None:
            return
        line = word if number is None else f"{word} {number}"
        with contextlib.suppress(BrokenPipeError):  # somebody has killed it
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        if self._process is not None:
            self.tell("done")
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # type: ignore[union-attr]
            self._process.wait()
            self._process = None


class LocalEngine:
    """`environments` has for each worker what it is given beyond the run's environment."""

    def __init__(self, environments: tuple[Mapping[str, str], ...] = ({},)) -> None:
        self._slots = tuple(
            Slot(number, environment=environment) for number, environment in enumerate(environments)
        )
        self._keeper = Keeper()

    def slots(self) -> tuple[Slot, ...]:
        return self._slots

    def start(self, settings: Settings, environment: Mapping[str, str], slot: Slot) -> LocalWorker:
        given = {**importable(environment), **slot.environment}
        given[keeper.MARK] = keeper.mark(settings.run, settings.worker)
        command = [sys.executable, "-P", "-m", "rpgen.run.worker", settings.to_json()]
        try:
            with open(settings.log, "ab", buffering=0) as log:  # noqa: PTH123 - unbuffered
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=given,
                    start_new_session=True,
                )
            self._keeper.start(settings.run)
        except OSError as error:
            raise WorkerError(f"the worker process can't be started: {error}") from error
        self._keeper.tell("group", process.pid)
        return LocalWorker(process, settings, self._keeper)

    def close(self) -> None:
        self._keeper.close()


def importable(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` in which the worker finds this rpgen, also one that isn't installed."""
    root = Path(rpgen.__file__).resolve().parents[1]
    if root.name in ("site-packages", "dist-packages"):
        return dict(environment)
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if str(root) not in paths:
        paths.append(str(root))
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}
