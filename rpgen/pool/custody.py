"""Who has what: handing entries over, counting leases, letting go when the last one ends."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from rpgen.pool.cleanup import Leaving, free
from rpgen.pool.entry import Entry, Got, Kind, Use
from rpgen.pool.eviction import order
from rpgen.pool.low_memory import LowMemory
from rpgen.pool.moving import PARK_FROM_BYTES, Mover
from rpgen.pool.on_target import resizing
from rpgen.pool.owner import Owner, Owners
from rpgen.pool.sizing import backends_in
from rpgen.pool.table import Table

MB = 2**20

logger = logging.getLogger("rpgen.pool")

_MOST_OWNERS = 2000


class Custody:
    def __init__(
        self,
        table: Table,
        lock: threading.RLock,
        owners: Owners,
        low_memory: LowMemory,
        mover: Mover,
        host_free: Callable[[], float | None],
    ) -> None:
        self._table, self._lock, self._owners = table, lock, owners
        self._low_memory, self._mover, self._host_free = low_memory, mover, host_free
        self._uses: OrderedDict[str, list[Use]] = OrderedDict()
        self._accounts: dict[tuple[str, str], Any] = {}
        table.watchers.append(resizing(lock))

    def begin(self, owner: str) -> None:
        """An owner begins: what an earlier one of that name used is history."""
        with self._lock:
            self._forget(owner, self._uses.get(owner, []))
            self._uses[owner] = []
            self._uses.move_to_end(owner)
            while len(self._uses) > _MOST_OWNERS:
                self._forget(*self._uses.popitem(last=False))

    def _forget(self, owner: str, uses: list[Use]) -> None:
        for use in uses:
            self._accounts.pop((owner, use.key), None)

    def uses(self, owner: str) -> tuple[Use, ...]:
        """What an owner got; what is told of a backend grows with each use of the model."""
        with self._lock:
            known = self._uses.get(owner, [])
            found = [(use, self._accounts.get((owner, use.key))) for use in known]
        told = [replace(u, backend=a.figures().to_dict()) if a else u for u, a in found]
        with self._lock:
            known[: len(told)] = told
        return tuple(told)

    def hand_over(self, got: Got, to_owner: bool = True) -> Any:
        """Give a pinned entry out: leased to the current owner, or to nobody. Unpins it.

        Where the caller has a lease of its own the owner only gets it into its account.
        """
        owner, entry = self._owners.current(), got.entry
        with self._lock:
            self._table.touched(entry, got.hit)
            value = entry.value
            if owner is not None and entry not in owner.held:
                if to_owner:
                    self.lease_to(owner, got)
                else:
                    self._note(owner, got)
            leaving = [] if got.hit else self._over_limits()
        self.let_go(leaving)
        self.release(entry, was_in_use=False)
        return value

    def lease_to(self, owner: Owner, got: Got) -> None:
        """Called under the pool's lock."""
        if owner.hold(got.entry, partial(self.release, got.entry)):
            got.entry.leases += 1
            self._note(owner, got)

    def _note(self, owner: Owner, got: Got) -> None:
        """Into the owner's account, once for each entry."""
        uses = self._uses.setdefault(owner.name, [])
        if all(use.key != got.entry.key for use in uses):
            uses.append(_use(got))
            for computed in backends_in(got.entry.value)[:1]:
                self._accounts[owner.name, got.entry.key] = computed.open_account()

    def release(self, entry: Entry, was_in_use: bool = True) -> None:
        """One user less. The last one lets a doomed entry go, or parks a large one."""
        with self._lock:
            entry.leases -= 1
            last = entry.leases == 0 and not entry.moving and entry.live
            if last and was_in_use:
                self._table.touched(entry, hit=False)  # it is idle from now on, not from its get
            leaving = (
                [self._table.remove(entry, "the pool was cleared")] if last and entry.doomed else []
            )
        self.let_go(leaving)
        if last and was_in_use and self._low_memory.on and entry.size.total > PARK_FROM_BYTES:
            self._park(entry)

    def _park(self, entry: Entry) -> None:
        """To the CPU, where that doesn't make the host short instead."""
        free_mb = self._host_free()
        if free_mb is None or free_mb * MB > 2 * entry.size.total:
            self._mover.park(entry)

    def keep_to_limits(self) -> int:
        """Let the idle things go that are beyond low-memory mode's limits."""
        with self._lock:
            leaving = self._over_limits()
        return self.let_go(leaving)

    def let_go(self, leaving: list[Leaving]) -> int:
        """Free what was removed; says how many. Call it without any lock."""
        if not leaving:
            return 0
        freed = free(leaving)
        with self._lock:
            self._table.counters.removed += freed.removed
            self._table.counters.freed_mb += freed.expected_mb
            last = [e for e in self._table if e.doomed and not e.busy]  # what was needed by those
            rest = [self._table.remove(entry, "the pool was cleared") for entry in last]
        if freed.held_outside:
            names = ", ".join(freed.held_outside)
            logger.info("Let go, but still held outside the pool: %s", names)
        return freed.removed + self.let_go(rest)

    def _over_limits(self) -> list[Leaving]:
        if not self._low_memory.on:
            return []
        limits = self._low_memory.limits
        found = {c.key: c for c in self._table.candidates(lambda device: device)}
        leaving: list[Leaving] = []
        for kind, most in ((Kind.MODEL, limits.models), (Kind.TOKENIZER, limits.tokenizers)):
            if most is not None:
                mine = [found[e.key] for e in self._table if e.identity.kind is kind]
                idle = order(mine)
                leaving += self._table.removed(
                    (c.key for c in idle[: max(0, len(idle) - most)]), "low-memory mode"
                )
        return leaving


def _use(got: Got) -> Use:
    entry = got.entry
    is_model = entry.identity.kind is Kind.MODEL
    return Use(
        key=entry.key,
        kind=entry.identity.kind,
        device=entry.size.device if is_model else None,
        dtype=_dtype(entry) if is_model else None,
        weights=entry.loaded.weights,
        load_seconds=entry.loaded.seconds,
        predicted_mb=entry.loaded.predicted_mb,
        measured_mb=entry.size.total / MB if is_model else None,
        degraded=got.degraded,
        hit=got.hit,
        mapped_mb=entry.size.mapped / MB,
        estimate_source=entry.loaded.placement.estimate_source if entry.loaded.placement else None,
    )


def _dtype(entry: Entry) -> str | None:
    """With the package that quantised the weights, if one did: it is part of the result."""
    by = entry.loaded.quantiser
    return f"{entry.size.dtype} ({by})" if by else entry.size.dtype
