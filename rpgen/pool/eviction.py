"""Who has to go when memory is short: a pure function.

The rule for things of one size, and where sizes to come are not known; `foresight` knows more.

need 700 MB on cuda:0; idle there, in the order in which they would be missed least:
  A 200 MB, never used again      chosen
  B 800 MB, next use in 9 files   chosen: 200 + 800 is enough
  C 500 MB, next use in 2 files   not reached
then whoever turns out not to be needed is let off: B alone is enough, so A stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NEVER = None


@dataclass(frozen=True)
class Candidate:
    """An entry as eviction sees it.

    `next_use` counts how far away the next use is, NEVER where the plan has none; without a
    plan all are NEVER, and the least recently used goes first. `domain` is the memory it
    lies in (a device, or the host), `asked_as` what the plan calls it: two instances of one
    model have two keys and one such name.
    """

    key: str
    domain: str
    size: int
    last_used: float
    next_use: int | None = NEVER
    busy: bool = False
    asked_as: str = ""


def order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The idle ones, first to go first: never again, furthest, least recent, largest."""
    idle = [c for c in candidates if not c.busy]
    return sorted(
        idle,
        key=lambda c: (
            c.next_use is not NEVER,
            -(c.next_use or 0),
            c.last_used,
            -c.size,
            c.key,
        ),
    )


def confirmed(
    chosen: Iterable[str], candidates: Iterable[Candidate], need: int
) -> tuple[Candidate, ...]:
    """Those that were chosen a moment ago, if they still are there, idle, and enough."""
    keys = set(chosen)
    still = tuple(c for c in candidates if c.key in keys and not c.busy)
    return still if len(still) == len(keys) and sum(c.size for c in still) >= need else ()


def victims(candidates: Iterable[Candidate], need: int, domain: str) -> tuple[Candidate, ...]:
    """Who goes so that `need` bytes come free in a domain; nobody where that can't be reached.

    Taken in order until there is enough, then each that turns out not to be needed is let
    off, the one that would be missed most first.
    """
    chosen: list[Candidate] = []
    freed = 0
    for candidate in order(c for c in candidates if c.domain == domain and c.size > 0):
        if freed >= need:
            break
        chosen.append(candidate)
        freed += candidate.size
    if freed < need or need <= 0:
        return ()
    for candidate in reversed(tuple(chosen)):
        if freed - candidate.size >= need:
            chosen.remove(candidate)
            freed -= candidate.size
    return tuple(chosen)


def too_old(
    candidates: Iterable[Candidate],
    now: float,
    oldest_seconds: float,
    *,
    under_pressure: bool,
    large: int,
    keep_planned: bool = False,
) -> tuple[Candidate, ...]:
    """The idle ones that nobody asked for in time; under pressure large ones get half of it.

    With `keep_planned` those stay that the plan will ask for.
    """

    def limit(candidate: Candidate) -> float:
        halved = under_pressure and candidate.size >= large
        return oldest_seconds / 2 if halved else oldest_seconds

    unplanned = (c for c in order(candidates) if c.next_use is NEVER or not keep_planned)
    return tuple(c for c in unplanned if now - c.last_used >= limit(c))
