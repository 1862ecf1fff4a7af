"""With a known future: never more loads than least recently used, and the fewest there are."""

import itertools
import random
import unittest
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpgen.errors import ModelUnavailableError
from rpgen.pool.eviction import Candidate, victims
from rpgen.pool.foresight import Demand, best_schedule
from rpgen.pool.future import Coming

SIZES = (10, 20, 30, 50, 80)


def demands(files: Sequence[str], sizes: dict[str, int], extra: dict[str, int]) -> list[Demand]:
    return [Demand(name, sizes[name], sizes[name] + extra.get(name, 0)) for name in files]


def loads_of_lru(coming: Sequence[Demand], room: int, nothing_needless: bool) -> int:
    """Least recently used, as it is mostly built, or so that nobody goes who need not."""
    held: dict[str, int] = {}
    count = 0
    for demand in coming:
        if demand.key in held:
            held[demand.key] = held.pop(demand.key)
            continue
        if demand.need > room:
            continue
        count += 1
        short = demand.need - (room - sum(held.values()))
        gone: list[str] = []
        while sum(held[name] for name in gone) < short:
            gone.append(next(name for name in held if name not in gone))
        for name in reversed(tuple(gone)):
            if nothing_needless and sum(held[n] for n in gone) - held[name] >= short:
                gone.remove(name)
        for name in gone:
            del held[name]
        held[demand.key] = demand.size
    return count


def fewest_loads(coming: Sequence[Demand], room: int) -> int:
    """By trying every set of things that could be kept at each place."""
    sizes = {demand.key: demand.size for demand in coming}
    states: dict[frozenset[str], int] = {frozenset(): 0}
    for demand in coming:
        if demand.need > room:
            continue
        following: dict[frozenset[str], int] = {}
        for held, count in states.items():
            if demand.key in held:
                following[held] = min(count, following.get(held, count))
                continue
            for number in range(len(held) + 1):
                for kept in itertools.combinations(sorted(held), number):
                    if sum(sizes[name] for name in kept) + demand.need <= room:
                        state = frozenset((*kept, demand.key))
                        following[state] = min(count + 1, following.get(state, count + 1))
        states = following
    return min(states.values())


def test_a_thousand_random_orders_of_unequal_sizes() -> None:
    source = random.Random(3)
    better_than_lru = 0
    for number in range(1500):
        names = [chr(97 + i) for i in range(source.randint(2, 6))]
        sizes = {name: source.choice(SIZES) for name in names}
        extra = {name: source.choice((0, 3, 15)) for name in names} if number % 2 else {}
        coming = demands(source.choices(names, k=source.randint(3, 16)), sizes, extra)
        room = max(demand.need for demand in coming) + source.choice((-10, 0, 10, 20, 40, 60))
        found = len(best_schedule((), coming, room))
        by_lru = min(loads_of_lru(coming, room, needless) for needless in (True, False))
        assert found == fewest_loads(coming, room) <= by_lru
        better_than_lru += found < by_lru
    assert better_than_lru > 100


def test_what_is_too_large_to_be_searched_is_still_no_worse_than_any_rule() -> None:
    source = random.Random(5)
    ours = by_lru = 0
    for _ in range(6):
        names = [f"model {i}" for i in range(40)]
        sizes = {name: source.choice(SIZES) for name in names}
        coming = demands(source.choices(names, k=150), sizes, dict.fromkeys(names, 4))
        room = max(100, int(sum(sizes.values()) * source.uniform(0.2, 0.5)))
        found = len(best_schedule((), coming, room))
        rules = [loads_of_lru(coming, room, needless) for needless in (True, False)]
        assert found <= min(rules)
        ours, by_lru = ours + found, by_lru + min(rules)
    assert ours < 0.8 * by_lru


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 90), st.booleans()), max_size=6),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 90)), min_size=1, max_size=12),
    st.integers(0, 120),
)
def test_every_schedule_can_be_kept(
    held: list[tuple[str, int, bool]], asked: list[tuple[str, int]], free: int
) -> None:
    """Carried out step by step it never takes more than there is, and who is busy stays."""
    there = {key: Candidate(key, "", size, used, busy=busy)
             for used, (key, size, busy) in enumerate(held)}  # fmt: skip
    sizes = {**dict(asked), **{key: c.size for key, c in there.items()}}
    coming = [Demand(key, sizes[key], sizes[key]) for key, _ in asked]
    schedule = {
        decision.at: decision for decision in best_schedule([*there.values()], coming, free)
    }
    busy = {key for key, c in there.items() if c.busy}
    room = free + sum(c.size for c in there.values())
    now = set(there)
    for at, demand in enumerate(coming):
        if at in schedule:
            decision = schedule[at]
            assert demand.key not in now
            assert decision.gone <= now - (busy if at == 0 else set())
            now -= decision.gone
            later = {each.key for each in coming[at:]}
            never = sum(sizes[k] for k in now - later if at or k not in busy)
            assert sum(sizes[k] for k in now) - never + demand.need <= room
            now = {k for k in now if k in later or (at == 0 and k in busy)} | {demand.key}
        elif demand.key not in now:
            assert demand.need > room or (at == 0 and busy)


def test_what_is_held_may_be_larger_or_smaller_than_predicted() -> None:
    """Nothing is left out of a schedule for that: each load that has room is in it."""
    source = random.Random(4)
    for _ in range(400):
        names = [chr(97 + i) for i in range(5)]
        sizes = {name: source.choice(SIZES) for name in names}
        held = [
            Candidate(name, "", sizes[name] + source.randint(-5, 5), used)
            for used, name in enumerate(source.sample(names, 3))
        ]
        coming = demands(source.choices(names, k=10), sizes, {})
        free = 30
        room = free + sum(candidate.size for candidate in held)
        there = {candidate.key for candidate in held}
        loaded = {decision.key for decision in best_schedule(held, coming, free)}
        assert {d.key for d in coming if d.need <= room} <= loaded | there


def run_of(pool: Any, files: Sequence[str], sources: dict[str, Any], tell: Any, window: int) -> int:
    """How many loads these files take, each of one model, as the runner would run them."""
    loads = 0
    for number, name in enumerate(files):
        with pool.owner(f"file {number}"):
            pool.expect([f"e:{key}" for key in files[number : number + window]], tell)
            pool.get_model("e", name, sources[name].load_model)
            loads += not pool.uses(f"file {number}")[0].hit
    return loads


@pytest.mark.parametrize("window", [200, 6])
def test_the_pool_keeps_to_the_schedule(make_world: Any, make_source: Any, window: int) -> None:
    """The loads of a run are those that are fewest, also where the sizes have to be foretold."""
    source = random.Random(9)
    ours = best = 0
    for _ in range(60):
        names = [chr(97 + i) for i in range(source.randint(3, 5))]
        sizes = {name: float(source.choice(SIZES)) for name in names}
        files = source.choices(names, k=source.randint(6, 14))
        room = max(sizes.values()) * 1.3 + 6 + source.choice((0, 20, 40, 60))
        world = make_world(host_mb=room)
        sources = {name: make_source(world, name, mb=sizes[name]) for name in names}
        pool = world.pool()
        pool.disable_low_memory_mode()

        def tell(key: str, sources: Any = sources) -> Coming:
            name = key.partition(":")[2]
            return Coming("e", name, sources[name].load_model)

        found = run_of(pool, files, sources, tell, window)
        # a tenth for activations, and a tenth as the margin
        needs = {n: int((mb + max(4.0, 0.1 * mb)) * 1.1 * 1000) + 1 for n, mb in sizes.items()}
        coming = [Demand(n, int(sizes[n] * 1000), needs[n]) for n in files]
        fewest = fewest_loads(coming, int(room * 1000))
        assert found >= fewest
        ours, best = ours + found, best + fewest
        if window == 200:
            assert found == fewest
    assert ours <= 1.1 * best


def test_a_schedule_is_followed_while_the_window_moves_on(
    make_world: Any, make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is worked out anew only after half of what it foresaw, or where it didn't come true."""
    from rpgen.pool import future

    made: list[int] = []

    def counted(*figures: Any) -> Any:
        made.append(len(figures[1]))
        return best_schedule(*figures)

    monkeypatch.setattr(future, "best_schedule", counted)
    source = random.Random(1)
    names = [chr(97 + i) for i in range(8)]
    files = source.choices(names, k=120)
    world = make_world(host_mb=420.0)
    sources = {name: make_source(world, name) for name in names}
    pool = world.pool()
    pool.disable_low_memory_mode()

    def tell(key: str) -> Coming:
        name = key.partition(":")[2]
        return Coming("e", name, sources[name].load_model)

    loads = run_of(pool, files, sources, tell, 40)
    assert loads > 40
    assert len(made) <= 8


def test_sizes_are_asked_for_only_when_something_has_to_go(
    make_world: Any, make_source: Any
) -> None:
    world = make_world(host_mb=300.0)
    sources = {name: make_source(world, name) for name in "abc"}
    asked: list[str] = []
    pool = world.pool()
    pool.disable_low_memory_mode()

    def tell(key: str) -> Coming:
        asked.append(key)
        name = key.partition(":")[2]
        return Coming("e", name, sources[name].load_model)

    pool.expect(["e:a", "e:b", "e:a", "e:c", "e:b"], tell)
    pool.get_model("e", "a", sources["a"].load_model)
    pool.get_model("e", "b", sources["b"].load_model)
    assert asked == []
    pool.expect(["e:d", "e:a", "e:c", "e:b"], tell)
    big = make_source(world, "d", mb=100.0)
    pool.get_model("e", "d", big.load_model)
    assert asked == ["e:c"]  # the others have been here
    assert set(pool.models) == {"e:a", "e:d"}


def test_what_is_in_use_now_does_not_hide_what_will_fit_later(
    make_world: Any, make_source: Any
) -> None:
    """A file that holds a large model asks for a second one: `c` will fit once it has ended."""
    world = make_world(host_mb=400.0)
    sizes = {"a": 50.0, "b": 30.0, "c": 150.0, "busy": 200.0, "d": 60.0}
    sources = {name: make_source(world, name, mb=mb) for name, mb in sizes.items()}
    pool = world.pool()
    pool.disable_low_memory_mode()

    def tell(key: str) -> Coming:
        name = key.partition(":")[2]
        return Coming("e", name, sources[name].load_model)

    for name in "ab":
        pool.get_model("e", name, sources[name].load_model)
    with pool.lease("e", "busy", sources["busy"].load_model):
        world.taken["cpu"] += 100.0  # so that little is free
        pool.expect(["e:d", "e:c", "e:b", "e:a"], tell)
        pool.get_model("e", "d", sources["d"].load_model)
        world.taken["cpu"] -= 100.0
    assert pool._future._known["e:c"] is not None


@pytest.mark.parametrize(
    "error",
    [
        TypeError("Checkpoint() got an unexpected keyword argument"),
        ModelUnavailableError("there is no such model"),
        unittest.SkipTest("openvino was asked for: it isn't installed"),
    ],
)
def test_a_size_that_cannot_be_told_is_no_obstacle(
    make_world: Any, make_source: Any, error: Exception
) -> None:
    world = make_world(host_mb=300.0)
    pool = world.pool()
    pool.disable_low_memory_mode()

    def tell(key: str) -> Coming:
        raise error

    for name in "ab":
        pool.get_model("e", name, make_source(world, name).load_model)
    pool.expect(["e:d", "e:a", "e:x", "e:b"], tell)
    pool.get_model("e", "d", make_source(world, "d").load_model)
    assert set(pool.models) == {"e:a", "e:d"}


def test_what_is_planned_is_not_cleaned_while_memory_is_plenty(
    make_world: Any, make_source: Any
) -> None:
    world = make_world()
    pool = world.pool()
    for name in "ab":
        pool.get_model("e", name, make_source(world, name).load_model)
    pool.expect(["e:b"])
    world.now += 3600
    assert pool.cleanup_unused_resources(0.5) == 1
    assert set(pool.models) == {"e:b"}
    assert pool.cleanup_unused_resources(0) == 1  # now is now


def test_two_instances_of_one_model_are_told_apart(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 10_000.0}, host_mb=300.0)
    pool = world.pool()
    pool.disable_low_memory_mode()
    one = make_source(world, "one")
    pool.get_model("e", "one", one.load_model, {"device": "cuda"})
    world.now += 1
    pool.get_model("e", "one", one.load_model, {"device": "cpu"})
    world.now += 1
    pool.get_model("e", "two", make_source(world, "two").load_model, {"device": "cpu"})
    pool.expect(["e:three", "e:one", "e:two"])
    pool.get_model("e", "three", make_source(world, "three").load_model, {"device": "cpu"})
    assert set(pool.models) == {"e:one", "e:one@cpu,fp32,auto_class=AutoModel", "e:three"}


def test_the_usual_rule_where_nothing_is_known() -> None:
    entries = [Candidate("a", "cpu", 10, 5), Candidate("b", "cpu", 10, 1)]
    assert [c.key for c in victims(entries, 5, "cpu")] == ["b"]
