"""Letting a load in: decide its device, make room for it, reserve what it will take.

What can never fit is refused before anything is evicted, and nothing is evicted where another
way needs no eviction.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from rpgen.errors import DoesNotFitError
from rpgen.hardware.types import HardwareSnapshot
from rpgen.placement.choose import Placement, place
from rpgen.placement.estimate import Needs
from rpgen.placement.matrix import Matrix
from rpgen.placement.preferences import Preferences
from rpgen.pool.cleanup import Freed, free, give_back, settle
from rpgen.pool.eviction import Candidate, confirmed, order, victims
from rpgen.pool.foresight import Demand
from rpgen.pool.future import Expected, Future
from rpgen.pool.memory import HOST, Budget, Reservations, domains
from rpgen.pool.table import Table
from rpgen.pool.weighing import Figures, bytes_of, victims_for, way_of, weigh

MB = 2**20
_LONGEST_WAIT = 30.0
_MOST_ROUNDS = 8
_MOST_OF_IT = 0.9  # drivers round


class Admission:
    def __init__(
        self,
        table: Table,
        lock: threading.RLock,
        budget: Budget,
        reservations: Reservations,
        snapshot: Callable[[], HardwareSnapshot],
        matrix: Matrix,
        future: Future,
    ) -> None:
        self._table, self._lock, self._future = table, lock, future
        self._budget, self._reservations = budget, reservations
        self._snapshot, self._matrix = snapshot, matrix
        self._one_at_a_time = threading.RLock()
        self.waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        """What a thread lets go of while it waits for another one's load to end."""

    def domain_of(self, device: str) -> str:
        return domains(self._snapshot()).get(device, device)

    def peek(self, needs: Needs, preferences: Preferences) -> Placement:
        """What would be decided now. Nothing is evicted, and no device is woken for it."""
        figures = self._figures(frozenset())
        return weigh(lambda free: self._place(needs, preferences, free, {}), figures).placement

    def foretell(self, needs: Needs, preferences: Preferences) -> Expected:
        """Where it would go, and what it would take, with everything else out of its way."""
        figures = self._figures(frozenset())
        placement = self._place(needs, preferences, figures.deserted, {})
        return Expected(placement.device, *bytes_of(needs, placement))

    def admit(
        self,
        needs: Needs,
        preferences: Preferences,
        excluded: Mapping[str, str] | None = None,
        key: str = "",
    ) -> tuple[Placement, int]:
        """The device, with room made on it, and the ticket of the reservation. `key` is what
        the plan calls the model."""
        while True:
            try:
                with self._one_at_a_time:
                    placement = self._with_room(needs, preferences, excluded or {}, key)
                    return placement, self._reservations.reserve(self._amounts(placement))
            except DoesNotFitError:
                with self.waiting():
                    others_ended = self._reservations.wait_for_others(_LONGEST_WAIT)
                if not others_ended:
                    raise

    def _amounts(self, placement: Placement) -> dict[str, float]:
        """What a load will take in each memory; a split one fills its devices in turn."""
        if placement.split is None:
            return {self.domain_of(placement.device): placement.needed_mb or 0.0}
        left, amounts = placement.split.weights_mb, dict[str, float]()
        for device, most in placement.split.max_mb.items():
            domain, taken = self.domain_of(device), min(left, most)
            amounts[domain] = amounts.get(domain, 0.0) + taken
            left -= taken
        return amounts

    def release(self, ticket: int) -> None:
        with self._one_at_a_time:
            self._reservations.release(ticket)

    def free_idle(self, device: str) -> Freed:
        """The first step of the ladder: everything idle on a device goes, and has gone."""
        domain = self.domain_of(device)
        freed = self._let_go(
            lambda found: [c for c in order(found) if c.domain == domain], "out of memory"
        )
        give_back([device], 0)
        return freed

    def _with_room(
        self, needs: Needs, preferences: Preferences, excluded: Mapping[str, str], key: str
    ) -> Placement:
        def put(free_mb: Mapping[str, float | None]) -> Placement:
            return self._place(needs, preferences, free_mb, excluded)

        woken: set[str] = set()
        for _ in range(_MOST_ROUNDS):
            figures = self._figures(frozenset(woken))
            weighed = weigh(put, figures)
            placement, device = weighed.placement, weighed.placement.device
            unknown = placement.needed_mb is not None and figures.free.get(device) is None
            if unknown and device not in woken and device != HOST:
                woken.add(device)
                continue
            if weighed.has_room:
                return placement
            if weighed.short_mb is None:
                gone = self._evict(partial(victims_for, way_of(placement), put, figures))
            else:
                load = Demand(key, *bytes_of(needs, placement))
                gone = self._evict(self._goers(load, figures.domain[device], weighed.short_mb))
            if not gone:
                break
        # eviction didn't give what it should have: take what there is
        return put(self._figures(frozenset(woken)).free)

    def _goers(
        self, load: Demand, domain: str, short_mb: float
    ) -> Callable[[list[Candidate]], Iterable[Candidate]]:
        """Who goes for a load; worked out before the lock is taken, made sure of under it."""
        short = int(short_mb * MB) + 1
        chosen = self._future.goers(
            self._candidates(), load, load.need - short, domain, self.domain_of
        )
        return lambda found: confirmed(chosen, found, short) or victims(found, short, domain)

    def _place(
        self,
        needs: Needs,
        preferences: Preferences,
        free_mb: Mapping[str, float | None],
        excluded: Mapping[str, str],
    ) -> Placement:
        return place(needs, self._snapshot(), free_mb, preferences, self._matrix, excluded)

    def _figures(self, woken: frozenset[str]) -> Figures:
        domain = domains(self._snapshot())
        with self._lock:
            found = self._candidates()
            held = {
                where: self._table.held_mb(where, lambda device: domain.get(device, device))
                for where in set(domain.values())
            }
        free_mb = {
            where: self._budget.free_mb(where, held[where], create_context=where in woken)
            for where in set(domain.values())
        }
        own = {d: self._of_its_own(d) for d, where in domain.items() if d != where}
        taken: dict[bool, dict[str, float]] = {False: {}, True: {}}
        for each in found:
            sizes = taken[each.busy]
            sizes[each.domain] = sizes.get(each.domain, 0.0) + each.size / MB
        return Figures(
            free={d: _least(free_mb[where], own.get(d)) for d, where in domain.items()},
            idle={device: taken[False].get(where, 0.0) for device, where in domain.items()},
            busy={device: taken[True].get(where, 0.0) for device, where in domain.items()},
            domain=domain,
        )

    def _of_its_own(self, device: str) -> float | None:
        """What a device may take of the memory that it shares with the host."""
        with self._lock:
            held_mb = self._table.held_mb(device, lambda each: each)
        return self._budget.free_mb(device, held_mb)

    def _evict(self, choose: Callable[[list[Candidate]], Iterable[Candidate]]) -> bool:
        """Free what is chosen; False where nothing could go."""
        freed = self._let_go(choose, "room was needed")
        with self._lock:
            self._table.counters.evictions += freed.removed
        return freed.removed > 0

    def _let_go(self, choose: Callable[[list[Candidate]], Iterable[Candidate]], why: str) -> Freed:
        """Choose and remove under one lock, free without it, and wait for the drivers."""
        places = set(domains(self._snapshot()).values()) - {HOST}
        before = {place: self._budget.driver_mb(place) for place in places}
        with self._lock:
            chosen = choose(self._candidates())
            leaving = self._table.removed((candidate.key for candidate in chosen), why)
        freed = free(leaving)
        self._settle(before, freed)
        return freed

    def _candidates(self) -> list[Candidate]:
        domain = domains(self._snapshot())
        with self._lock:
            return self._table.candidates(lambda device: domain.get(device, device))

    def _settle(self, before: Mapping[str, float | None], freed: Freed) -> None:
        """Wait until the devices have what was freed, by the driver's own figures."""
        for domain, free_mb in before.items():
            given = sum(mb for d, mb in freed.mb_by_device.items() if self.domain_of(d) == domain)
            if given and free_mb is not None:
                settle(partial(self._budget.driver_mb, domain), free_mb + _MOST_OF_IT * given)


def _least(*figures: float | None) -> float | None:
    """None where nothing is known."""
    return min((figure for figure in figures if figure is not None), default=None)
