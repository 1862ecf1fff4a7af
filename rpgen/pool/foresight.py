"""Who has to go when it is known what will be asked for, and how large it is: a pure function.

With things of one size the furthest next use is the best choice. With unequal ones it is not,
and to find the best is hard in general, so several rules are tried out over the known future,
and then a search that looks at every set of things that could be kept, as far as its budget of
steps goes:

    room for 10, all taken: A 5, B 3, C 2; coming: D 4, then A, B, C
    furthest use:  C and B go for D, A is a hit, B and C are loaded again: 3 loads
    what is best:  A goes for D, and D for A, as nobody wants it again: 2 loads

What is chosen never loads more often than least recently used would, however that one picks
its victims, and where the search gets through it is the optimum.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations, islice

from rpgen.pool.eviction import NEVER, Candidate, victims

_STEPS = 60_000
"""Sets of victims that one search may look at: about a tenth of a second."""
_AT_LEAST_SETS = 8
"""How many of the most promising sets of a place get their share of the steps."""


@dataclass(frozen=True)
class Demand:
    """Something that will be asked for: its bytes once it is loaded, and those that must be
    free for its load to begin."""

    key: str
    size: int
    need: int


@dataclass(frozen=True)
class Decision:
    """One load. `at` is its place among the demands. Of what will be asked for again, `held` is
    there before it, and `gone` has to go for it; of what will not, as few go as will do."""

    at: int
    key: str
    held: frozenset[str]
    gone: frozenset[str]


Schedule = tuple[Decision, ...]
Choose = Callable[[list[Candidate], int, int], Sequence[Candidate]]
"""From the idle things, the bytes that are short, and the place among the demands."""


def best_schedule(held: Sequence[Candidate], coming: Sequence[Demand], free: int) -> Schedule:
    """The loads that `coming` will take, as few as can be found, and who goes for each.

    `held` and `coming` are of one memory with `free` bytes left; what is busy may not go for
    the first demand.
    """
    sizes = {candidate.key: candidate.size for candidate in held}  # measured ones, not predicted
    coming = [replace(demand, size=sizes.get(demand.key, demand.size)) for demand in coming]
    by_rule = [_tried(rule, held, coming, free) for rule in _RULES]
    best = min(by_rule, key=len)
    plain = _tried(_plainly_oldest, held, coming, free)
    search = _Search(held, coming, free)
    if len(best) > search.least_loads():
        found = search.run(min(len(best) - 1, len(plain)))
        if found is not None:
            return _tried(_following(found), held, coming, free)
    return min(best, plain, key=len)


def _tried(
    choose: Choose, held: Sequence[Candidate], coming: Sequence[Demand], free: int
) -> Schedule:
    """What happens with this way to choose. What there can be no room for is not loaded."""
    there = {candidate.key: candidate for candidate in held}
    places = _places(coming)
    start = max((candidate.last_used for candidate in held), default=0.0)
    decisions = []
    for at, demand in enumerate(coming):
        if demand.key not in there:
            short = demand.need - free
            seen = [replace(c, next_use=_next(places, c.key, at)) for c in there.values()]
            gone = choose([c for c in seen if not c.busy], short, at) if short > 0 else ()
            if short <= 0 or sum(c.size for c in gone) >= short:
                again = frozenset(c.key for c in seen if c.next_use is not NEVER)
                names = frozenset(c.key for c in gone)
                decisions.append(Decision(at, demand.key, again, names & again))
                free += sum(there.pop(name).size for name in names) - demand.size
                there[demand.key] = Candidate(demand.key, "", demand.size, start)
        if demand.key in there:
            there[demand.key] = replace(there[demand.key], last_used=start + 1 + at)
        if at == 0:
            there = {key: replace(c, busy=False) for key, c in there.items()}
    return tuple(decisions)


def _places(coming: Sequence[Demand]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, demand in enumerate(coming):
        places.setdefault(demand.key, []).append(at)
    return places


def _next(places: dict[str, list[int]], key: str, now: int) -> int | None:
    """The first place after `now`, NEVER where there is none."""
    mine = places.get(key, [])
    found = bisect_right(mine, now)
    return mine[found] if found < len(mine) else NEVER


# Rules


def _furthest(idle: list[Candidate], short: int, at: int) -> Sequence[Candidate]:
    return victims(_in_one_place(idle), short, "")


def _oldest(idle: list[Candidate], short: int, at: int) -> Sequence[Candidate]:
    return victims([replace(c, next_use=NEVER) for c in _in_one_place(idle)], short, "")


def _largest_and_furthest(idle: list[Candidate], short: int, at: int) -> Sequence[Candidate]:
    """By the room that it would take for the time until it is wanted."""
    ranked = sorted(
        _in_one_place(idle),
        key=lambda c: (c.next_use is NEVER, c.size * ((c.next_use or 0) - at)),
    )
    aged = [replace(c, next_use=place) for place, c in enumerate(ranked)]
    return victims(aged, short, "")


def _plainly_oldest(idle: list[Candidate], short: int, at: int) -> Sequence[Candidate]:
    """Least recently used as it is mostly built: from the oldest on until there is room."""
    chosen: list[Candidate] = []
    for candidate in sorted(idle, key=lambda c: c.last_used):
        if sum(c.size for c in chosen) >= short:
            break
        chosen.append(candidate)
    return chosen


_RULES: tuple[Choose, ...] = (_furthest, _largest_and_furthest, _oldest)


def _in_one_place(idle: list[Candidate]) -> list[Candidate]:
    return [replace(c, domain="") for c in idle]


def _following(found: dict[int, frozenset[str]]) -> Choose:
    """What a search found: those go, and of what is never used again as few as will do."""

    def choose(idle: list[Candidate], short: int, at: int) -> Sequence[Candidate]:
        chosen = [c for c in idle if c.key in found.get(at, ())]
        never = [c for c in _in_one_place(idle) if c.next_use is NEVER]
        return [*chosen, *victims(never, short - sum(c.size for c in chosen), "")]

    return choose


# The search

_Node = tuple[int, "_Node | None", int, int]
"""The loads so far, the node before, and its last load: the place and who went (a set of bits).
Without a load the place is -1."""


def _promise(later: int) -> Callable[[tuple[int, _Node]], int]:
    """The loads that a state has taken, and those that it will take at least."""
    return lambda each: each[1][0] + (later & ~each[0]).bit_count()


class _Search:
    """Place by place over all the sets of things that could be held then.

    A set holds only what will be asked for again: the rest goes when the room is needed, at no
    cost. A set that can't lead to fewer loads than are known already is left out.
    """

    def __init__(self, held: Sequence[Candidate], coming: Sequence[Demand], free: int) -> None:
        sizes = {c.key: c.size for c in held}
        self._room = free + sum(sizes.values())
        at_first = self._room - sum(c.size for c in held if c.busy)
        self._coming = [
            (at, demand)
            for at, demand in enumerate(coming)
            if demand.key in sizes or demand.need <= (self._room if at else at_first)
        ]
        demands = {demand.key: demand for _, demand in self._coming}
        self._keys = list(demands)
        self._bit = {key: 1 << number for number, key in enumerate(self._keys)}
        self._size = {self._bit[k]: sizes.get(k, d.size) for k, d in demands.items()}
        self._start = sum(self._bit[c.key] for c in held if c.key in self._bit)
        self._stuck = sum(self._bit[c.key] for c in held if c.busy and c.key in self._bit)
        self._stuck_size = sum(c.size for c in held if c.busy and c.key not in self._bit)
        self._places = _places([demand for _, demand in self._coming])
        self._later = self._wanted_after()

    def _wanted_after(self) -> list[int]:
        """For each demand the things that are asked for after it."""
        later = [0]
        for _, demand in reversed(self._coming[1:]):
            later.append(later[-1] | self._bit[demand.key])
        return later[::-1] if self._coming else []

    def least_loads(self) -> int:
        """Each thing that is not there has to be loaded once."""
        return len(self._keys) - self._start.bit_count()

    def run(self, most_loads: int) -> dict[int, frozenset[str]] | None:
        """Who of those that are wanted again goes at which place, with the fewest loads; None
        where `most_loads` are not enough or the steps are used up."""
        states: dict[int, _Node] = {self._start: (0, None, -1, 0)}
        steps = _STEPS
        for number in range(len(self._coming)):
            share = steps // (len(self._coming) - number)
            later = self._later[number]
            ranked = self._ranked(number)
            following: dict[int, _Node] = {}
            end = steps - share
            for held, node in sorted(states.items(), key=_promise(later)):
                ways = self._after(number, held, node, ranked)
                for state, reached in islice(ways, min(steps - end, share // _AT_LEAST_SETS + 1)):
                    steps -= 1
                    kept = state & later
                    if state < 0 or reached[0] + (later & ~kept).bit_count() > most_loads:
                        continue
                    if kept not in following or reached[0] < following[kept][0]:
                        following[kept] = reached
            states = following
        return self._told(min(states.values(), key=lambda node: node[0])) if states else None

    def _ranked(self, number: int) -> list[int]:
        """The things that will be asked for again, the furthest first."""
        places = {key: _next(self._places, key, number) for key in self._keys}
        again = [key for key in self._keys if places[key] is not NEVER]
        return [self._bit[key] for key in sorted(again, key=lambda key: -(places[key] or 0))]

    def _after(
        self, number: int, held: int, node: _Node, ranked: list[int]
    ) -> Iterator[tuple[int, _Node]]:
        """What can be held once this demand is met; -1 for a step that led nowhere."""
        at, demand = self._coming[number]
        bit = self._bit[demand.key]
        if held & bit:
            yield held, node
            return
        first = at == 0
        taken = sum(size for one, size in self._size.items() if one & held)
        size = demand.need + taken + (self._stuck_size if first else 0) - self._room
        movable = held & ~self._stuck if first else held
        for gone in self._ways([one for one in ranked if one & movable], size):
            state = -1 if gone < 0 else (held & ~gone) | bit
            yield state, (node[0] + 1, node, at, max(gone, 0))

    def _ways(self, things: list[int], short: int) -> Iterator[int]:
        """The sets of things that free enough, none of which could stay; -1 for any other."""
        if short <= 0:
            yield 0
            return
        for count in self._counts(sorted(self._size[one] for one in things), short):
            for chosen in combinations(things, count):
                freed = sum(self._size[one] for one in chosen)
                needed = all(freed - self._size[one] < short for one in chosen)
                yield sum(chosen) if freed >= short and needed else -1

    @staticmethod
    def _counts(sizes: list[int], short: int) -> range:
        """How many of these can be just enough: from the largest ones to the smallest ones."""
        smallest, largest = list(accumulate(sizes)), list(accumulate(reversed(sizes)))
        if not largest or largest[-1] < short:
            return range(0)
        return range(bisect_left(largest, short) + 1, bisect_left(smallest, short) + 2)

    def _told(self, node: _Node) -> dict[int, frozenset[str]]:
        found = {}
        at: _Node | None = node
        while at is not None:
            if at[2] >= 0:
                found[at[2]] = frozenset(key for key in self._keys if self._bit[key] & at[3])
            at = at[1]
        return found
