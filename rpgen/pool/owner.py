"""Who uses what: owners and their leases.

An owner is a test file, or whatever else has a beginning and an end. The current one is a
context variable; a thread that an owner's code starts has none of its own and counts as the
only active owner's, if there is exactly one.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token

from rpgen.pool.entry import Entry


class Owner:
    """A holder of leases. `held` maps an entry to what lets it go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: dict[Entry, Callable[[], None]] = {}
        self._closed = False
        self._lock = threading.Lock()

    def hold(self, entry: Entry, release: Callable[[], None]) -> bool:
        """Take a lease over; False where the owner has ended or holds one already."""
        with self._lock:
            if self._closed or entry in self.held:
                return False
            self.held[entry] = release
            return True

    def end(self) -> None:
        """Drop every lease and take no more."""
        with self._lock:
            self._closed = True
        self.let_go()

    def let_go(self) -> None:
        """Drop every lease; what was waiting for that goes now."""
        with self._lock:
            releases = list(self.held.values())
            self.held.clear()
        for release in releases:
            release()


class Owners:
    """The owners of one pool. `active` are those that have begun and not ended: it is empty
    in a plain script, and then a hit asks no further."""

    def __init__(self) -> None:
        self.active: list[Owner] = []
        self._current: ContextVar[Owner | None] = ContextVar("rpgen_pool_owner", default=None)
        self._lock = threading.Lock()

    def current(self) -> Owner | None:
        """The owner of this context, else the only active one."""
        found = self._current.get()
        if found is None and len(self.active) == 1:
            with contextlib.suppress(IndexError):  # it ended in another thread just now
                return self.active[0]
        return found

    @contextlib.contextmanager
    def owning(self, name: str) -> Iterator[Owner]:
        """Make `name` the current owner; on leaving, its leases are dropped."""
        owner = Owner(name)
        with self._lock:
            self.active.append(owner)
        token = self._current.set(owner)
        try:
            yield owner
        finally:
            self._reset(token)
            with self._lock:
                self.active.remove(owner)
            owner.end()

    def _reset(self, token: Token[Owner | None]) -> None:
        try:
            self._current.reset(token)
        except ValueError:  # entered in one context and left in another, as some fixtures do
            self._current.set(None)
