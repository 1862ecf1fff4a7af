"""From what a caller writes to a pinned entry: what the ways of getting things share."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from rpgen.placement.preferences import ENVIRONMENT
from rpgen.pool.custody import Custody
from rpgen.pool.entry import Asked, Entry, Got, Identity, Kind
from rpgen.pool.facilities import Facilities
from rpgen.pool.future import Coming, Expected
from rpgen.pool.keys import OptionsMemory, Wishes, environment_reader
from rpgen.pool.moving import Mover
from rpgen.pool.obtain import Obtain
from rpgen.pool.on_target import require
from rpgen.pool.reading import Reader
from rpgen.pool.table import Table
from rpgen.pool.wanted import Wanted


class Fetch:
    def __init__(
        self,
        table: Table,
        lock: threading.RLock,
        reader: Reader,
        obtain: Obtain,
        mover: Mover,
        custody: Custody,
    ) -> None:
        self._table, self._lock, self._reader = table, lock, reader
        self._obtain, self._mover, self._custody = obtain, mover, custody
        self._facilities = Facilities(table, lock)
        self.options = OptionsMemory()
        self._wishes = Wishes()
        self._environment = environment_reader(ENVIRONMENT)

    def wanted(self, model_type: str, preferences: Mapping[str, Any]) -> Wanted:
        """A request for no model in particular, to ask where one of this type would go."""
        request = (model_type, None, (), self._environment(), None)
        return self._reader.wanted(request, None, preferences)

    def request(
        self,
        model_type: str,
        model_name: str,
        constructor: Callable[..., Any] | None,
        hardware_preferences: Mapping[str, Any] | None,
    ) -> tuple[Any, ...]:
        """What is remembered as meaning an entry. As cheap as can be: every hit makes one."""
        return (
            model_type,
            model_name,
            self.options.of(constructor),
            self._environment(),
            self._wishes.token(hardware_preferences),
        )

    def model(
        self,
        request: tuple[Any, ...],
        constructor: Callable[..., Any] | None,
        hardware_preferences: Mapping[str, Any] | None,
    ) -> Got | None:
        """The entry of a request, pinned; None if it isn't there and can't be made."""
        wanted = self._reader.wanted(request, constructor, hardware_preferences)
        got = self._if_there(wanted, request)
        if got is None and constructor is None:
            with self._lock:
                self._table.counters.misses += 1
            return None
        got = got or self._made(wanted, request)
        try:
            self._mover.bring_home(got.entry)
        except BaseException:
            self._custody.release(got.entry, was_in_use=False)
            raise
        if constructor is not None:
            with self._lock:
                asked = Asked(wanted.names_device, got.degraded)
                self._table.remember(got.entry, request, asked)
        return got

    def _made(self, wanted: Wanted, request: tuple[Any, ...]) -> Got:
        target = wanted.preferences.target
        if target is None:
            return self._obtain.model(wanted, request)
        with contextlib.ExitStack() as holding:
            try:
                require(target, wanted.preferences)
            finally:  # a backend that refuses may have started something for that
                holding.enter_context(self._facilities.held(target))
            return self._obtain.model(wanted, request)

    def _if_there(self, wanted: Wanted, request: tuple[Any, ...]) -> Got | None:
        with self._lock:
            entry = self._table.requests.get(request)
            if entry is None and wanted.constructor is None:
                found = self._table.named(Kind.MODEL, wanted.identity.type, wanted.identity.name)
                entry = next((e for e in found if wanted.accepts(e)), None)
            if entry is None:
                return None
            entry.leases += 1
            return hit(entry, request)

    def foretell(self, coming: Coming) -> Expected | None:
        """What a model that is still to come will take; None where that can't be told now."""
        kind, name = coming.model_type, coming.model_name
        constructor, wishes = coming.constructor, coming.hardware_preferences
        request = self.request(kind, name, constructor, wishes)
        return self._obtain.foretell(self._reader.wanted(request, constructor, wishes))

    def plain(
        self, identity: Identity, constructor: Callable[[], Any], request: tuple[Any, ...]
    ) -> Got:
        got = self._obtain.plain(identity, constructor, request)
        with self._lock:
            self._table.remember(got.entry, request)
        return got


def hit(entry: Entry, request: Hashable) -> Got:
    """The entry as found by a request that it was remembered for."""
    asked = entry.requests.get(request)
    return Got(entry, True, asked.degraded if asked else None)
