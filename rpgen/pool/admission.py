"""Letting a load in: decide its device, make room for it, reserve what it will take.

What can never fit is refused before anything is evicted, and nothing is evicted where another
way needs no eviction.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rpgen.errors import DoesNotFitError
from rpgen.hardware.types import HardwareSnapshot
from rpgen.placement.choose import HEADROOM, Placement, place
from rpgen.placement.estimate import Needs
from rpgen.placement.matrix import Matrix
from rpgen.placement.preferences import Preferences
from rpgen.pool.cleanup import Freed, free, give_back, settle
from rpgen.pool.eviction import Candidate, order, victims
from rpgen.pool.memory import HOST, Budget, Reservations, domains
from rpgen.pool.table import Table

MB = 2**20
_LONGEST_WAIT = 30.0
_MOST_ROUNDS = 8


@dataclass(frozen=True)
class Figures:
    """Free and idle MB per device, and the memory each device computes in."""

    free: Mapping[str, float | None]
    idle: Mapping[str, float]
    domain: Mapping[str, str]


class Admission:
    def __init__(
        self,
        table: Table,
        lock: threading.RLock,
        budget: Budget,
        reservations: Reservations,
        snapshot: Callable[[], HardwareSnapshot],
        matrix: Matrix,
    ) -> None:
        self._table, self._lock = table, lock
        self._budget, self._reservations = budget, reservations
        self._snapshot, self._matrix = snapshot, matrix
        self._one_at_a_time = threading.RLock()

    def domain_of(self, device: str) -> str:
        return domains(self._snapshot()).get(device, device)

    def peek(self, needs: Needs, preferences: Preferences) -> Placement:
        """What would be decided now. Nothing is evicted, and no device is woken for it."""
        return self._weigh(needs, preferences, self._figures(frozenset()), {})[0]

    def admit(
        self, needs: Needs, preferences: Preferences, excluded: Mapping[str, str] | None = None
    ) -> tuple[Placement, int]:
        """The device, with room made on it, and the ticket of the reservation."""
        while True:
            try:
                with self._one_at_a_time:
                    placement = self._with_room(needs, preferences, excluded or {})
                    return placement, self._reservations.reserve(self._amounts(placement))
            except DoesNotFitError:
                if not self._reservations.wait_for_others(_LONGEST_WAIT):
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
        before = self._budget.free_mb(domain, 0.0)
        freed = self._let_go(
            lambda found: [c for c in order(found) if c.domain == domain], "out of memory"
        )
        give_back([device], 0)
        if freed.removed and before is not None and domain != HOST:
            self._settle(domain, before + freed.expected_mb)
        return freed

    def _with_room(
        self, needs: Needs, preferences: Preferences, excluded: Mapping[str, str]
    ) -> Placement:
        woken: set[str] = set()
        for _ in range(_MOST_ROUNDS):
            figures = self._figures(frozenset(woken))
            placement, short_mb = self._weigh(needs, preferences, figures, excluded)
            device = placement.device
            unknown = placement.needed_mb is not None and figures.free.get(device) is None
            if unknown and device not in woken and device != HOST:
                woken.add(device)
                continue
            if short_mb <= 0 or not self._evict(figures.domain[device], short_mb):
                break
        figures = self._figures(frozenset(woken))
        if short_mb > 0:  # eviction didn't give what it should have: take what there is
            return self._place(needs, preferences, figures.free, excluded)
        return placement

    def _weigh(
        self,
        needs: Needs,
        preferences: Preferences,
        figures: Figures,
        excluded: Mapping[str, str],
    ) -> tuple[Placement, float]:
        """The best placement, and the MB that must be freed for it first."""
        now: Placement | None = None
        refusal: DoesNotFitError | None = None
        try:
            now = self._place(needs, preferences, figures.free, excluded)
        except DoesNotFitError as error:
            refusal = error
        if now is not None and not now.short_of_memory:
            return now, 0.0
        emptied = {
            device: None if mb is None else mb + figures.idle.get(device, 0.0)
            for device, mb in figures.free.items()
        }
        if emptied == figures.free:
            if now is None:
                raise refusal or AssertionError("a refusal has its error")
            return now, 0.0
        better = self._place(needs, preferences, emptied, excluded)
        if now is None and better.split:
            raise refusal or AssertionError("a refusal has its error")
        if now is not None and (better.split or _same(better, now)):
            return now, 0.0
        return better, (better.needed_mb or 0.0) * HEADROOM - (figures.free[better.device] or 0.0)

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
            found = self._table.candidates(lambda device: domain.get(device, device))
            held = {
                where: self._table.held_mb(where, lambda device: domain.get(device, device))
                for where in set(domain.values())
            }
        free_mb = {
            where: self._budget.free_mb(where, held[where], create_context=where in woken)
            for where in set(domain.values())
        }
        idle = {
            where: sum(c.size for c in found if c.domain == where and not c.busy) / MB
            for where in set(domain.values())
        }
        return Figures(
            free={device: free_mb[where] for device, where in domain.items()},
            idle={device: idle[where] for device, where in domain.items()},
            domain=domain,
        )

    def _evict(self, domain: str, short_mb: float) -> bool:
        """Free at least this much there; False where nothing could go."""
        before = self._budget.free_mb(domain, 0.0)
        freed = self._let_go(
            lambda found: victims(found, int(short_mb * MB) + 1, domain), "room was needed"
        )
        with self._lock:
            self._table.counters.evictions += freed.removed
        if freed.removed and before is not None and domain != HOST:
            self._settle(domain, before + freed.expected_mb * 0.9)
        return freed.removed > 0

    def _let_go(self, choose: Callable[[list[Candidate]], Iterable[Candidate]], why: str) -> Freed:
        """Choose and remove under one lock, free without it."""
        domain = domains(self._snapshot())
        with self._lock:
            chosen = choose(self._table.candidates(lambda device: domain.get(device, device)))
            leaving = self._table.removed((candidate.key for candidate in chosen), why)
        return free(leaving)

    def _settle(self, domain: str, wanted_mb: float) -> None:
        settle(lambda: self._budget.free_mb(domain, 0.0), wanted_mb)


def _same(one: Placement, other: Placement) -> bool:
    """Whether two placements give the same model in the same place."""
    return (one.device, one.dtype, one.split) == (other.device, other.dtype, other.split)
