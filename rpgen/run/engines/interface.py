"""Where workers run: what the supervisor asks of an engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rpgen.run.channel import Command, Settings


class LostWorkerError(Exception):
    """The machine or the process that held a worker is gone, and with it all that it could say.

    No test is to blame: what was running is run again elsewhere.
    """


@dataclass(frozen=True)
class Slot:
    """A place for one worker at a time. `environment` is what makes it differ from others:
    the devices it sees, the threads it may use."""

    number: int
    name: str = "this machine"
    environment: Mapping[str, str] = field(default_factory=dict)


class WorkerHandle(Protocol):
    """One worker process, seen from the supervisor.

    Any of these may raise `LostWorkerError` where the worker is on another machine.
    """

    pid: int

    def send(self, command: Command) -> None:
        """Hand it a command; a worker that is dead takes it without complaint."""

    def exit_status(self) -> int | None:
        """None while it runs; its exit code, or minus the signal that ended it.

        Whatever the worker wrote before it ended is in the journal when this returns a status.
        """

    def interrupt(self) -> None:
        """Ask it to stop after the test that is running."""

    def show_stacks(self) -> str:
        """All its stacks now, also from within native code; "" where it can't tell any more."""

    def stacks(self) -> str:
        """The stacks that it wrote so far: of a crash, or because they were asked for."""

    def memory_mb(self) -> float | None:
        """Its resident memory now, None where that can't be read or it has ended."""

    def oom_kills(self) -> int | None:
        """How many processes the kernel of its machine has killed for memory so far."""

    def printed_since(self, begin: int) -> str | None:
        """What it printed from this place in its log on."""

    def last_words(self) -> str:
        """The end of its log in one line, for the message of an error."""

    def bound_log(self) -> None:
        """Empty its log if it has grown beyond what a flood may take."""

    def end(self, patience: float) -> None:
        """Wait `patience` seconds for it to end, then kill it and whatever it started.

        Once that is done, doing it again does nothing.
        """


class Engine(Protocol):
    def slots(self) -> tuple[Slot, ...]:
        """The places that this engine has for workers; at least one. Cheap after the first."""

    def start(self, settings: Settings, environment: Mapping[str, str], slot: Slot) -> WorkerHandle:
        """Start a worker. `WorkerError` where that isn't possible."""

    def close(self) -> None:
        """The run is over; no worker is left."""
