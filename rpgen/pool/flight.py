"""One load per key at a time: whoever comes second waits for the first one's result.

A constructor may ask the pool for something else, so a load can wait for a load. A circle of
them (in one thread or through several) would wait forever; it is found beforehand and raised.
"""

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field

from rpgen.errors import UsageError
from rpgen.pool.entry import Got


@dataclass(eq=False)
class Flight:
    """One load under way. `waiters` is changed under the pool's lock only."""

    subject: Hashable
    label: str
    thread: int = field(default_factory=threading.get_ident)
    done: threading.Event = field(default_factory=threading.Event)
    waiters: int = 0
    got: Got | None = None
    error: BaseException | None = None


class Flights:
    """The loads under way. Every method is called under the pool's lock."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Flight] = {}
        self._waiting: dict[int, Flight] = {}  # thread -> the flight it waits for

    def join_or_start(self, subject: Hashable, label: str) -> tuple[Flight, bool]:
        """The flight of this subject (a request or an identity), and whether it is ours."""
        flight = self._under_way.get(subject)
        if flight is None:
            flight = self._under_way[subject] = Flight(subject, label)
            return flight, True
        self._refuse_circle(flight)
        flight.waiters += 1
        self._waiting[threading.get_ident()] = flight
        return flight, False

    def woken(self) -> None:
        """This thread waits no longer."""
        self._waiting.pop(threading.get_ident(), None)

    def landed(self, flight: Flight) -> None:
        """Take the flight off the list; its waiters are woken by `flight.done`."""
        if self._under_way.get(flight.subject) is flight:
            del self._under_way[flight.subject]

    def _refuse_circle(self, flight: Flight) -> None:
        me = threading.get_ident()
        seen: set[int] = set()
        at: Flight | None = flight
        while at is not None and at.thread not in seen:
            if at.thread == me:
                raise UsageError(
                    f"The constructor of {flight.label} asks the pool for {flight.label} itself, "
                    "directly or through another load; build it from parts that don't need it."
                )
            seen.add(at.thread)
            at = self._waiting.get(at.thread)

    def __len__(self) -> int:
        return len(self._under_way)
