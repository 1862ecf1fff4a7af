"""The worker process: `python -m rpgen.run.worker SETTINGS`, started by the supervisor.

It takes commands on its standard input and runs file after file in one pytest session, so
that torch, transformers and the models in the pool are loaded once. Whatever the tests print
goes to the log that it was started with; everything it has to say itself is in the journal.
"""

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue

from rpgen.errors import ExitCode, OutputError, RpgenError
from rpgen.run.channel import Command, Exit, Settings, decode
from rpgen.run.children import tie_to_parent
from rpgen.run.events import Event, WorkerReady, WorkerRefused
from rpgen.run.journal import Journal
from rpgen.run.worker_imports import import_models

STACK_SIGNAL = getattr(signal, "SIGUSR1", None)


def main(arguments: Sequence[str] | None = None) -> int:
    settings = Settings.from_json((sys.argv[1:] if arguments is None else arguments)[0])
    tie_to_parent(settings.parent)
    commands = _listen(_take_stdin())
    _quiet_streams()
    stacks = os.open(settings.stack, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    _show_stacks(stacks)
    journal = _WorkerJournal(Path(settings.journal))
    if settings.import_models:
        import_models()
    from rpgen.run.session import run_session

    versions = _versions()

    def ready() -> None:
        _show_stacks(stacks)  # again: pytest's own plugin has taken over
        journal.append(WorkerReady(worker=settings.worker, versions=versions))

    try:
        return run_session(settings, journal, commands, ready)
    except RpgenError as error:
        if error.exit_code is ExitCode.USAGE:
            journal.append(WorkerRefused(worker=settings.worker, message=str(error)))
        else:
            print(f"rpgen worker: {error}", file=sys.stderr)
        return int(error.exit_code)


class _WorkerJournal(Journal):
    """A worker that can't say what it does ends at once; the supervisor says why."""

    def append(self, event: Event) -> None:
        try:
            super().append(event)
        except OutputError:
            os._exit(ExitCode.OUTPUT)


def _take_stdin() -> int:
    """The command channel, moved out of the tests' way: they see an empty standard input."""
    channel = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


def _listen(channel: int) -> "SimpleQueue[Command]":
    """Commands as they come. When the supervisor dies, so does this process's whole group."""
    commands: SimpleQueue[Command] = SimpleQueue()

    def listen() -> None:
        with open(channel, "rb") as lines:
            for line in lines:
                command = decode(line)
                commands.put(command)
                if isinstance(command, Exit):
                    return
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=listen, name="rpgen commands", daemon=True).start()
    return commands


def _quiet_streams() -> None:
    """No character that a test prints may raise, and a crash must not lose a printed line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]


def _show_stacks(file: int) -> None:
    """All stacks on a fatal signal, and when the supervisor asks before it kills."""
    faulthandler.enable(file=file, all_threads=True)
    if STACK_SIGNAL is not None:
        faulthandler.register(STACK_SIGNAL, file=file, all_threads=True, chain=False)


def _versions() -> dict[str, str | None]:
    """Without importing anything that the tests don't."""
    found: dict[str, str | None] = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("torch", "transformers", "pytest"):
        version = getattr(sys.modules.get(name), "__version__", None)
        try:
            found[name] = str(version) if version else metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def leave(code: int) -> None:
    """End now: run what was registered for the exit, but wait for no thread left behind."""
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
