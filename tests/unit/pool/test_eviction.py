"""Who goes: nobody in use, nobody without need, and never for nothing."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from rpgen.pool.eviction import Candidate, order, too_old, victims

candidates = st.lists(
    st.builds(
        Candidate,
        key=st.uuids().map(str),
        domain=st.sampled_from(["cpu", "cuda:0"]),
        size=st.integers(0, 1000),
        last_used=st.floats(0, 100),
        next_use=st.none() | st.integers(0, 20),
        busy=st.booleans(),
    ),
    max_size=12,
)


def one(key: str, size: int = 10, used: float = 0, **more: object) -> Candidate:
    return Candidate(key, "cpu", size, used, **more)  # type: ignore[arg-type]


def test_the_order() -> None:
    entries = [
        one("soon", next_use=1),
        one("far", next_use=9),
        one("never, recent", used=5),
        one("never, long ago", used=1),
        one("busy", busy=True),
        one("never, long ago, large", size=20, used=1),
    ]
    assert [c.key for c in order(entries)] == [
        "never, long ago, large",
        "never, long ago",
        "never, recent",
        "far",
        "soon",
    ]


def test_nobody_goes_that_need_not() -> None:
    entries = [one("a", 200), one("b", 800, next_use=9), one("c", 500, next_use=2)]
    assert [c.key for c in victims(entries, 700, "cpu")] == ["b"]
    assert [c.key for c in victims(entries, 900, "cpu")] == ["a", "b"]
    assert [c.key for c in victims(entries, 150, "cpu")] == ["a"]
    assert victims(entries, 1501, "cpu") == ()
    assert victims(entries, 0, "cpu") == ()
    assert victims(entries, 1, "cuda:0") == ()


@given(candidates, st.integers(1, 5000))
def test_what_holds_for_every_choice(entries: list[Candidate], need: int) -> None:
    chosen = victims(entries, need, "cpu")
    assert not any(c.busy or c.domain != "cpu" for c in chosen)
    idle = sum(c.size for c in entries if c.domain == "cpu" and not c.busy)
    assert bool(chosen) == (idle >= need)
    if chosen:
        freed = sum(c.size for c in chosen)
        assert freed >= need
        assert all(freed - c.size < need for c in chosen)  # each one is needed


@given(candidates, st.floats(0, 50), st.booleans())
def test_ages(entries: list[Candidate], limit: float, pressed: bool) -> None:
    gone = too_old(entries, 100, limit, under_pressure=pressed, large=500)
    for entry in entries:
        allowed = limit / 2 if pressed and entry.size >= 500 else limit
        assert (entry in gone) == (not entry.busy and 100 - entry.last_used >= allowed)


def loads(files: list[str], sizes: dict[str, int], budget: int, look_ahead: bool) -> int:
    """How many loads a run of these files takes, keeping what the eviction keeps."""
    held: dict[str, float] = {}
    count = 0
    for now, model in enumerate(files):
        if model not in held:
            count += 1
            ahead = {name: files[now:].index(name) for name in set(files[now:])}
            entries = [
                Candidate(name, "cpu", sizes[name], used, ahead.get(name) if look_ahead else None)
                for name, used in held.items()
            ]
            short = sum(sizes[name] for name in held) + sizes[model] - budget
            for gone in victims(entries, short, "cpu"):
                del held[gone.key]
        held[model] = now
    return count


def test_knowing_what_comes_never_loads_more() -> None:
    source = random.Random(7)
    for _ in range(1000):
        names = [chr(97 + i) for i in range(source.randint(2, 5))]
        files = [source.choice(names) for _ in range(source.randint(3, 14))]
        sizes = dict.fromkeys(names, 10)
        budget = 10 * source.randint(1, len(names))
        ours = loads(files, sizes, budget, look_ahead=True)
        assert ours <= loads(files, sizes, budget, look_ahead=False)


def fewest_loads(files: list[str], slots: int) -> int:
    """By trying everything; equal sizes."""
    states: dict[frozenset[str], int] = {frozenset(): 0}
    for model in files:
        following: dict[frozenset[str], int] = {}
        for held, count in states.items():
            if model in held:
                kept = [held]
            elif len(held) < slots:
                kept = [held | {model}]
            else:
                subsets = itertools.combinations(sorted(held), slots - 1)
                kept = [frozenset(subset) | {model} for subset in subsets]
            cost = count + (model not in held)
            for state in kept:
                following[state] = min(cost, following.get(state, cost))
        states = following
    return min(states.values())


def test_with_equal_sizes_it_is_the_optimum() -> None:
    source = random.Random(11)
    for _ in range(300):
        names = [chr(97 + i) for i in range(source.randint(2, 5))]
        files = [source.choice(names) for _ in range(source.randint(3, 10))]
        slots = source.randint(1, len(names))
        found = loads(files, dict.fromkeys(names, 10), 10 * slots, look_ahead=True)
        assert found == fewest_loads(files, slots)


def test_with_unequal_sizes_it_is_nearly_always_better_and_better_in_all() -> None:
    """Without knowing the sizes that come, the furthest use is a rule of thumb here."""
    source = random.Random(1)
    ours = theirs = worse = 0
    for _ in range(1000):
        names = [chr(97 + i) for i in range(source.randint(2, 6))]
        files = [source.choice(names) for _ in range(source.randint(3, 16))]
        sizes = {name: source.choice((10, 20, 30, 50, 80)) for name in names}
        budget = max(sizes.values()) + source.choice((0, 10, 20, 40, 60))
        with_plan = loads(files, sizes, budget, look_ahead=True)
        without = loads(files, sizes, budget, look_ahead=False)
        ours, theirs, worse = ours + with_plan, theirs + without, worse + (with_plan > without)
    assert ours < theirs
    assert worse <= 5
