"""What will be asked for, as far as it is known, and who has to go because of it.

The plan names what comes. How large a thing is, is known of what was here before; of the
others whoever made the plan can be asked how they will be got, and then it is predicted as for
a load. That takes time, so nobody is asked before something has to go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import SkipTest

from rpgen.errors import RpgenError
from rpgen.placement.choose import HEADROOM
from rpgen.pool.entry import Entry
from rpgen.pool.eviction import NEVER, Candidate, victims
from rpgen.pool.foresight import Decision, Demand, Schedule, best_schedule
from rpgen.pool.table import Table

MB = 2**20


@dataclass(frozen=True)
class Coming:
    """A model that will be asked for, by the arguments that `get_model` will have."""

    model_type: str
    model_name: str
    constructor: Callable[..., Any]
    hardware_preferences: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Expected:
    """Where a model will lie, and its bytes as in `Demand`."""

    device: str
    size: int
    need: int


Tell = Callable[[str], Coming | None]


class Future:
    """`foretell` predicts a load; it gives None where this thread can't do that now, and its
    errors are those that the load will have."""

    def __init__(self, table: Table, foretell: Callable[[Coming], Expected | None]) -> None:
        self._table, self._foretell = table, foretell
        self._tell: Tell = lambda key: None
        self._known: dict[str, Expected | None] = {}
        self._schedule: Schedule = ()
        self._made_for: tuple[str, ...] = ()
        table.watchers.append(self._note)

    def expect(self, keys: Sequence[str], tell: Tell | None) -> None:
        """Called under the pool's lock."""
        self._table.plan = tuple(keys)
        if tell is not None:
            self._tell = tell

    def _note(self, entry: Entry, why: str | None) -> None:
        """Remember the size of what comes. Called under the pool's lock."""
        placement = entry.loaded.placement
        if why is None and placement is not None:
            need = int((placement.needed_mb or 0.0) * HEADROOM * MB)
            known = Expected(entry.size.device or placement.device, entry.size.total, need)
            self._known[entry.identity.plain_key] = known

    def goers(
        self,
        found: Sequence[Candidate],
        loading: Demand,
        free: int,
        domain: str,
        domain_of: Callable[[str], str],
    ) -> tuple[str, ...]:
        """The keys of those that go, so that `loading` finds room in a domain with `free` bytes.

        Call it without any lock: it may take a while.
        """
        short = loading.need - free
        usual = victims(found, short, domain)
        if all(candidate.next_use is NEVER for candidate in usual):
            return tuple(candidate.key for candidate in usual)
        held, keys = _by_name([c for c in found if c.domain == domain and c.size > 0])
        coming = self._coming(loading, held, domain, domain_of)
        decision, ahead = self._decide(held, coming, free)
        chosen = _chosen(decision, held, ahead, short) if decision else ()
        if not chosen:
            return tuple(candidate.key for candidate in usual)
        return tuple(keys[candidate.key] for candidate in chosen)

    def _coming(
        self,
        loading: Demand,
        held: Sequence[Candidate],
        domain: str,
        domain_of: Callable[[str], str],
    ) -> tuple[Demand, ...]:
        """This load and those after it that concern this memory."""
        plan = self._table.plan
        later = plan[1:] if plan[:1] == (loading.key,) else plan
        here = {candidate.key: candidate for candidate in held}
        demands = [loading]
        for key in later:
            known = self._look_up(key)
            if key == loading.key:
                demands.append(loading)
            elif known is not None and (key in here or domain_of(known.device) == domain):
                demands.append(Demand(key, known.size, known.need))
        return tuple(demands)

    def _look_up(self, key: str) -> Expected | None:
        """None for what isn't known, and for what can't be loaded."""
        if key not in self._known:
            try:
                coming = self._tell(key)
                found = self._foretell(coming) if coming else None
            except (RpgenError, TypeError, SkipTest):  # its own file will say so
                self._known[key] = None
                return None
            if found is None:
                return None
            self._known.setdefault(key, found)
        return self._known[key]

    def _decide(
        self, held: Sequence[Candidate], coming: Sequence[Demand], free: int
    ) -> tuple[Decision | None, tuple[str, ...]]:
        """What was worked out before, as long as it comes true and looks far enough; and how far
        that is."""
        names = tuple(demand.key for demand in coming)
        there = {candidate.key for candidate in held}
        for decision in self._schedule:
            ahead = self._made_for[decision.at :]
            as_foreseen = names[: len(ahead)] == ahead and decision.held == there & set(ahead)
            if as_foreseen and 2 * len(ahead) >= len(names):
                return decision, ahead
        self._schedule, self._made_for = best_schedule(held, coming, free), names
        return next((decision for decision in self._schedule if decision.at == 0), None), names


def _by_name(found: Sequence[Candidate]) -> tuple[list[Candidate], dict[str, str]]:
    """The candidates under the plan's names, and their keys by these names. Of several instances
    the one used last has the plan's name."""
    last = {c.asked_as or c.key: c for c in sorted(found, key=lambda c: c.last_used)}
    names = {c.key: name for name, c in last.items()}
    renamed = [replace(c, key=names.get(c.key, f"{c.key}, not the last one")) for c in found]
    return renamed, {new.key: old.key for new, old in zip(renamed, found, strict=True)}


def _chosen(
    decision: Decision, held: Sequence[Candidate], ahead: Sequence[str], short: int
) -> tuple[Candidate, ...]:
    """Those of the decision, and as few as will do of what isn't asked for as far as it sees;
    nobody where that doesn't give the room, because something has come in between."""
    gone = [c for c in held if c.key in decision.gone and not c.busy]
    left = short - sum(candidate.size for candidate in gone)
    beyond = [c for c in held if c.key not in ahead]
    rest = victims(beyond, left, held[0].domain) if left > 0 else ()
    enough = sum(c.size for c in rest) >= left
    return (*gone, *rest) if enough and len(gone) == len(decision.gone) else ()
