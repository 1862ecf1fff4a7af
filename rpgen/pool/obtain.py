"""Getting a thing that the tables don't know yet: join its load, or fly it.

Everything here returns a pinned entry: its lease count is one higher than before, so that it
can't go between being found and being handed over. Whoever called unpins it.

    thread 1: request R -> flight for R -> decide cuda:0 -> flight for the identity -> load
    thread 2: request R -> waits for thread 1's flight -> pinned by thread 1 on landing
    thread 3: another request that decides the same identity -> waits for the inner flight
"""

import copy
import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

from rpgen.errors import DoesNotFitError, ModelUnavailableError
from rpgen.placement.choose import Placement
from rpgen.placement.estimate import Needs
from rpgen.pool.admission import Admission
from rpgen.pool.entry import Got, Identity, Kind, Loaded
from rpgen.pool.flight import Flight, Flights
from rpgen.pool.future import Expected
from rpgen.pool.gate import Gate, needs_gate
from rpgen.pool.keys import source_of
from rpgen.pool.loading import RanOutError, load_model, load_plain
from rpgen.pool.oom import chain
from rpgen.pool.table import Table
from rpgen.pool.wanted import Wanted

logger = logging.getLogger("rpgen.pool")

_FINAL = {"RepositoryNotFoundError", "GatedRepoError", "RevisionNotFoundError"}
"""Errors of huggingface_hub that the same request would meet again, by name: not imported."""


class Obtain:
    def __init__(self, table: Table, lock: threading.RLock, admission: Admission) -> None:
        self._table, self._lock, self._admission = table, lock, admission
        self.flights = Flights()
        self._gate = Gate()
        admission.waiting = self._gate.put_aside
        self._final: dict[Hashable, BaseException] = {}

    def forget_failures(self) -> None:
        self._final.clear()

    def foretell(self, wanted: Wanted) -> Expected | None:
        """What a load would take; None outside the gate, as looking closer may need it, and who
        waits for it there may be waited for."""
        if not self._gate.held:
            return None
        return self._admission.foretell(wanted.needs(), wanted.preferences)

    def plain(self, identity: Identity, constructor: Callable[..., Any], request: Hashable) -> Got:
        """A resource or a tokenizer, pinned."""

        def fly() -> Got:
            gated = identity.kind is Kind.TOKENIZER and needs_gate(constructor)
            with self._gate.passed(gated):
                return self._insert(identity, self._timed(lambda: load_plain(constructor)))

        return self._single(request, identity, identity.plain_key, fly)

    def model(self, wanted: Wanted, request: Hashable) -> Got:
        """A model, pinned."""
        constructor = wanted.constructor
        assert constructor is not None, "without a constructor there is nothing to obtain"
        known = self._final.get(request)
        if known is not None:
            raise _to_remember(known)  # a copy: what is raised remembers who it came by

        def fly() -> Got:
            try:
                return self._decide(wanted, constructor)
            except Exception as error:
                if source_of(constructor) is not None and _is_final(error):
                    self._final[request] = _to_remember(error)
                raise

        return self._single(request, None, wanted.identity.plain_key, fly)

    def _decide(self, wanted: Wanted, constructor: Callable[..., Any]) -> Got:
        there = self._find_placed(wanted)
        if there is not None:
            return there
        with self._gate.passed(needs_gate(constructor)):
            return self._load_placed(wanted, wanted.needs(), constructor)

    def _find_placed(self, wanted: Wanted) -> Got | None:
        """The entry that would be decided for, its size aside: it is loaded already, so it
        fits. This way a hit never waits at the gate."""
        try:
            placement = self._admission.peek(wanted.kind(), wanted.preferences)
        except DoesNotFitError:
            return None  # room may be made for it once it is its turn
        with self._lock:
            entry = self._table.by_identity(wanted.placed(placement))
            if entry is None:
                return None
            entry.leases += 1
            return Got(entry, True, placement.degraded)

    def _load_placed(self, wanted: Wanted, needs: Needs, constructor: Callable[..., Any]) -> Got:
        """Down the ladder: where a device runs out of memory the next one that would do is
        taken (reported as degraded), then it is a failure with the numbers. What is on that
        next device already, or on its way there, is not loaded again."""
        failed: dict[str, str] = {}
        ran_out: BaseException | None = None
        while True:
            try:
                placement, ticket = self._admission.admit(
                    needs, wanted.preferences, failed, wanted.identity.plain_key
                )
            except DoesNotFitError:
                if not failed:
                    raise
                raise self._nowhere(failed) from ran_out
            try:
                return self._load_there(wanted, constructor, placement, failed)
            except RanOutError as error:
                failed[placement.device] = "it ran out of memory while loading"
                ran_out = error.__cause__
                if error.where == "host" or wanted.preferences.force_device:
                    raise self._nowhere(failed) from ran_out
                logger.warning("%s ran out of memory, trying the next device", placement.device)
            finally:
                self._admission.release(ticket)

    def _load_there(
        self,
        wanted: Wanted,
        constructor: Callable[..., Any],
        placement: Placement,
        failed: Mapping[str, str],
    ) -> Got:
        identity = wanted.placed(placement)
        fell = [f"{device} was chosen: {why}" for device, why in failed.items()]
        degraded = placement.degraded or (fell[0] if fell else None)

        def fly() -> Got:
            logger.info("Selected optimal device for %s: %s", identity.plain_key, placement.device)
            loaded = self._timed(
                lambda: load_model(
                    constructor, placement, wanted.asked_dtype, self._admission.free_idle
                )
            )
            return self._insert(identity, replace(loaded, degraded=degraded))

        got = self._single(identity, identity, identity.plain_key, fly)
        return replace(got, degraded=got.degraded or degraded)

    def _nowhere(self, failed: dict[str, str]) -> DoesNotFitError:
        tried = "; ".join(f"{device}: {why}" for device, why in failed.items())
        return DoesNotFitError(
            f"The model could be loaded on no device ({tried}). {self.holders()} "
            "Free something, take a smaller dtype, or use --weights tiny."
        )

    def _single(
        self,
        subject: Hashable,
        identity: Identity | None,
        label: str,
        fly: Callable[[], Got],
    ) -> Got:
        """Whoever comes first flies; the others wait for the landing and get the same entry."""
        while True:
            with self._lock:
                there = self._table.by_identity(identity) if identity else None
                if there is not None:
                    there.leases += 1
                    return Got(there, True)
                flight, ours = self.flights.join_or_start(subject, label)
            got = self._fly(flight, fly) if ours else self._wait(flight)
            if got is not None:
                return got

    def _fly(self, flight: Flight, fly: Callable[[], Got]) -> Got:
        try:
            got = fly()
        except BaseException as error:
            with self._lock:
                flight.error = error
                self.flights.landed(flight)
            flight.done.set()
            raise
        with self._lock:
            flight.got = got
            got.entry.leases += flight.waiters
            self.flights.landed(flight)
        flight.done.set()
        return got

    def _wait(self, flight: Flight) -> Got | None:
        """What the other thread got, pinned for us; its error, if it got one.

        None where that thread was interrupted (Ctrl-C, sys.exit): that is its own affair, and
        somebody else flies.
        """
        try:
            with self._gate.put_aside():
                flight.done.wait()
        except BaseException:
            with self._lock:
                if flight.got is not None:
                    flight.got.entry.leases -= 1
                flight.waiters -= 1
            raise
        finally:
            with self._lock:
                self.flights.woken()
        if isinstance(flight.error, Exception):
            raise flight.error
        return None if flight.got is None else replace(flight.got, hit=True)

    def _timed(self, load: Callable[[], Loaded]) -> Loaded:
        with self._lock:
            self._table.counters.misses += 1
        loaded = load()
        with self._lock:
            self._table.counters.load_seconds += loaded.seconds
        return loaded

    def _insert(self, identity: Identity, loaded: Loaded) -> Got:
        """Under the identity it was asked to be, and under the one it turned out to be."""
        actual = identity
        split = loaded.placement is not None and loaded.placement.split is not None
        if identity.kind is Kind.MODEL and not split:
            device = loaded.size.device or identity.device
            actual = replace(identity, device=device, dtype=loaded.size.dtype or identity.dtype)
        with self._lock:
            entry = self._table.by_identity(actual)
            if entry is None:
                entry = self._table.insert(actual, loaded)
                if identity.device == actual.device:
                    self._table.alias(entry, identity)
            entry.leases += 1
            return Got(entry, False, loaded.degraded)

    def holders(self) -> str:
        """Who holds what, for a message."""
        with self._lock:
            held = [
                f"{e.key} {e.size.total / 2**20:.0f} MB on {e.size.device}"
                + (" in use" if e.busy else "")
                for e in self._table
                if e.identity.kind is Kind.MODEL
            ]
        return f"In the pool: {', '.join(held)}." if held else "The pool holds no models."


def _to_remember(error: BaseException, seen: frozenset[int] = frozenset()) -> BaseException:
    """The error and its causes without the frames they went through: these hold half a model,
    and whoever asked. A cause that stands in a circle is named once."""
    try:
        kept = copy.copy(error)
    except TypeError:  # its class can't be made from its arguments
        kept = ModelUnavailableError(f"{type(error).__name__}: {error}")
    cause, known = error.__cause__, seen | {id(error)}
    kept.__cause__ = (
        _to_remember(cause, known) if cause is not None and id(cause) not in known else None
    )
    return kept


def _is_final(error: BaseException) -> bool:
    """Whether asking again would fail again: not found, gated, broken."""
    names = {cls.__name__ for link in chain(error) for cls in type(link).__mro__}
    return isinstance(error, ModelUnavailableError) or bool(names & _FINAL)
