"""Where workers run: what the supervisor asks of an engine. `local` is the one there is."""

from collections.abc import Mapping
from typing import Protocol

from rpgen.run.channel import Command, Settings


class WorkerHandle(Protocol):
    """One worker process, seen from the supervisor."""

    pid: int

    def send(self, command: Command) -> None:
        """Hand it a command; a worker that is dead takes it without complaint."""

    def exit_status(self) -> int | None:
        """None while it runs; its exit code, or minus the signal that ended it."""

    def interrupt(self) -> None:
        """Ask it to stop after the test that is running."""

    def show_stacks(self) -> None:
        """Ask it to write all its stacks to its stack file, even from within native code."""

    def memory_mb(self) -> float | None:
        """Its resident memory now, None where that can't be read or it has ended."""

    def end(self, patience: float) -> None:
        """Wait `patience` seconds for it to end, then kill it and whatever it started.

        Once that is done, doing it again does nothing.
        """


class Engine(Protocol):
    def start(self, settings: Settings, environment: Mapping[str, str]) -> WorkerHandle:
        """Start a worker. `WorkerError` where that isn't possible."""
