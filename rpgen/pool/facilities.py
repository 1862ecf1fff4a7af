"""What backends share among their models, a browser for one, as resources of the pool.

model on wasm ─┐
model on webnn ─┴─ need ─► `rpgen:browser`    in use while such a model is in the pool;
                                              idle it goes like others, and is closed then
"""

import contextlib
import threading
from collections.abc import Iterator

from rpgen.placement.targets import Target
from rpgen.pool.entry import Entry, Identity, Kind, Loaded
from rpgen.pool.sizing import backends_in, measure
from rpgen.pool.table import Table

TYPE = "rpgen"
"""The type of such resources: what somebody else calls a browser is another."""


class Facilities:
    def __init__(self, table: Table, lock: threading.RLock) -> None:
        self._table, self._lock = table, lock
        table.watchers.append(self._watch)

    @contextlib.contextmanager
    def held(self, target: Target) -> Iterator[None]:
        """What the target's backend shares is in the books from now on, and in use in here."""
        entry = self._taken_in(target)
        try:
            yield
        finally:
            if entry is not None:
                with self._lock:
                    entry.leases -= 1

    def _taken_in(self, target: Target) -> Entry | None:
        """Its entry, pinned; None where there is nothing to hold."""
        from rpgen.backends import facility_of

        found = facility_of(target)
        if found is None:
            return None
        size = measure(found)
        with self._lock:
            identity = _identity(found.name)
            entry = self._table.by_identity(identity)
            if entry is None:
                entry = self._table.insert(identity, Loaded(found, size, 0.0, close=found.close))
                self._table.remember(entry, (TYPE, found.name))
            entry.size = size
            entry.leases += 1
            return entry

    def _watch(self, entry: Entry, why: str | None) -> None:
        """A model that comes needs what its backend shares."""
        if why is not None or entry.identity.kind is not Kind.MODEL:
            return
        from rpgen.backends import facility_of

        targets = {computed.target for computed in backends_in(entry.value)}
        found = (facility_of(target) for target in targets)
        for name in {facility.name for facility in found if facility is not None}:
            other = self._table.by_identity(_identity(name))
            if other is not None:
                self._table.need(entry, other)


def look_again(table: Table, lock: threading.RLock) -> None:
    """Measure what changes its size by itself."""
    with lock:
        found = [(entry, entry.value) for entry in table if entry.loaded.close is not None]
    for entry, value in found:
        size = measure(value)  # asks the system, which takes a while
        with lock:
            if entry.live:
                entry.size = size


def _identity(name: str) -> Identity:
    return Identity(Kind.RESOURCE, TYPE, name)
