"""Many threads at once. Order is made by events; a wait that runs into its limit is a failure."""

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from rpgen.errors import UsageError
from rpgen.pool.pool import ResourcePool

LIMIT = 20.0


class Thing:
    """Something that can be told apart and watched."""


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as executor:
        yield executor


class SlowLoad:
    """A constructor that starts, waits to be told, and counts."""

    def __init__(self, outcome: Callable[[], Any] = Thing) -> None:
        self.started, self.go = threading.Event(), threading.Event()
        self.calls = 0
        self._outcome = outcome

    def __call__(self) -> Any:
        self.calls += 1
        self.started.set()
        assert self.go.wait(LIMIT), "the test never let the load go on"
        return self._outcome()


def results(futures: list[Future[Any]]) -> list[Any]:
    return [future.result(LIMIT) for future in futures]


def wait_for_waiters(pool: ResourcePool, count: int) -> None:
    """Until so many threads wait for somebody else's load."""
    end = threading.Event()
    for _ in range(int(LIMIT / 0.005)):
        with pool._lock:
            flights = list(pool._obtain.flights._under_way.values())
            if sum(flight.waiters for flight in flights) >= count:
                return
        end.wait(0.005)
    raise AssertionError(f"there never were {count} waiters")


@pytest.mark.parametrize("kind", ["model", "resource", "tokenizer"])
def test_sixteen_threads_on_four_keys_make_four_loads(
    pool: ResourcePool, threads: ThreadPoolExecutor, kind: str
) -> None:
    get = getattr(pool, f"get_{kind}")
    loads = [SlowLoad() for _ in range(4)]
    fifth = get("t", "fifth", Thing)
    futures = [threads.submit(get, "t", str(i % 4), loads[i % 4]) for i in range(16)]
    for load in loads:
        assert load.started.wait(LIMIT)  # all four load at once: no key waits for another
    wait_for_waiters(pool, 12)
    assert get("t", "fifth") is fifth  # a hit waits for none of them
    assert pool.get_stats()["cached_resources"] >= 0
    for load in loads:
        load.go.set()
    found = results(futures)
    assert [load.calls for load in loads] == [1, 1, 1, 1]
    for i in range(16):
        assert found[i] is found[i % 4]
    assert len({id(thing) for thing in found}) == 4
    stats = pool.get_stats()
    assert (stats["misses"], stats["hits"]) == (5, 13)


def test_a_failure_reaches_every_waiter_with_its_cause(
    pool: ResourcePool, threads: ThreadPoolExecutor
) -> None:
    def outcome() -> None:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise ValueError("no weights") from error

    load = SlowLoad(outcome)
    futures = [threads.submit(pool.get_model, "t", "n", load) for _ in range(8)]
    wait_for_waiters(pool, 7)
    load.go.set()
    for future in futures:
        error = future.exception(LIMIT)
        assert isinstance(error, ValueError)
        assert isinstance(error.__cause__, KeyError)
    assert load.calls == 1
    assert pool.get_model("t", "n", Thing) is not None
    assert len(pool._obtain.flights) == 0


def test_two_requests_that_mean_the_same_load_once(
    world: Any, make_source: Any, threads: ThreadPoolExecutor
) -> None:
    pool = world.pool()
    started, go = threading.Event(), threading.Event()

    def before(_device: str) -> None:
        started.set()
        assert go.wait(LIMIT)

    source = make_source(world, "bert", before=before)
    first = threads.submit(pool.get_model, "e", "bert", source.load_model)
    assert started.wait(LIMIT)
    second = threads.submit(pool.get_model, "e", "bert", source.load_model, {"device": "cpu"})
    go.set()
    assert first.result(LIMIT) is second.result(LIMIT)
    assert len(source.loads) == 1


def test_a_hit_by_another_way_does_not_wait_at_the_gate(
    world: Any, make_source: Any, threads: ThreadPoolExecutor
) -> None:
    pool = world.pool()
    there = pool.get_model("e", "there", make_source(world, "there").load_model)
    started, go = threading.Event(), threading.Event()

    def before(_device: str) -> None:
        started.set()
        assert go.wait(LIMIT)

    slow = make_source(world, "slow", before=before)
    first = threads.submit(pool.get_model, "e", "slow", slow.load_model)
    assert started.wait(LIMIT)  # the gate is taken
    again = make_source(world, "there")
    assert pool.get_model("e", "there", again.load_model, {"device": "cpu"}) is there
    assert again.loads == []
    go.set()
    first.result(LIMIT)


def test_a_constructor_may_call_the_pool(pool: ResourcePool) -> None:
    def outer() -> tuple[Any, Any]:
        return pool.get_resource("inner", None, Thing), pool.get_model("inner", "model", Thing)

    found = pool.get_model("outer", "model", outer)
    assert found[0] is pool.get_resource("inner")
    assert found[1] is pool.get_model("inner", "model")


def test_a_constructor_that_asks_for_itself(pool: ResourcePool) -> None:
    with pytest.raises(UsageError, match="asks the pool for"):
        pool.get_resource("a", None, lambda: pool.get_resource("a", None, Thing))
    with pytest.raises(UsageError, match="asks the pool for"):
        pool.get_model("a", "b", lambda: pool.get_model("a", "b", Thing, {"device": "cpu"}))
    assert pool.get_resource("a", None, Thing) is not None


def test_a_circle_through_two_threads_is_found(
    pool: ResourcePool, threads: ThreadPoolExecutor
) -> None:
    both = threading.Barrier(2)

    def first() -> Any:
        both.wait(LIMIT)
        return pool.get_resource("second", None, second)

    def second() -> Any:
        both.wait(LIMIT)
        return pool.get_resource("first", None, first)

    futures = [
        threads.submit(pool.get_resource, "first", None, first),
        threads.submit(pool.get_resource, "second", None, second),
    ]
    errors = [future.exception(LIMIT) for future in futures]
    assert all(isinstance(error, UsageError) for error in errors)


def test_sources_load_one_after_another_and_never_wait_in_a_circle(
    world: Any, make_source: Any, threads: ThreadPoolExecutor
) -> None:
    """A load inside the gate that needs another thread's load, which waits at the gate."""
    pool = world.pool()
    inside, most, lock = 0, 0, threading.Lock()
    other = make_source(world, "other")
    asked = threading.Event()

    def before(_device: str) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1

    other.before = before
    sources = [make_source(world, str(number), before=before) for number in range(6)]

    def needs_other(_device: str) -> None:
        asked.set()
        wait_for_waiters_or_entry(pool, "e:other")
        pool.get_model("e", "other", other.load_model)

    needing = make_source(world, "needing", before=needs_other)
    first = threads.submit(pool.get_model, "e", "needing", needing.load_model)
    assert asked.wait(LIMIT)
    second = threads.submit(pool.get_model, "e", "other", other.load_model)
    rest = [threads.submit(pool.get_model, "e", s.name, s.load_model) for s in sources]
    results([first, second, *rest])
    assert most == 1
    assert len(other.loads) == 1


def wait_for_waiters_or_entry(pool: ResourcePool, label: str) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT / 0.005)):
        with pool._lock:
            if any(flight.label == label for flight in pool._obtain.flights._under_way.values()):
                return
        pause.wait(0.005)
    raise AssertionError(f"nobody ever asked for {label}")


def test_in_use_stays_through_everything(
    pool: ResourcePool, world: Any, threads: ThreadPoolExecutor
) -> None:
    def clear_as_somebody_else() -> None:
        with pool.owner("somebody else"):
            pool.clear()

    with pool.owner("file"):
        model = pool.get_model("a", "b", Thing)
        tokenizer = pool.get_tokenizer("a", "b", Thing)
        world.now += 10_000
        assert pool.cleanup_unused_resources(0) == 0
        threads.submit(clear_as_somebody_else).result(LIMIT)
        assert pool.get_model("a", "b", Thing) is model
        assert pool.get_tokenizer("a", "b", Thing) is tokenizer
        assert pool.get_stats()["models"]["a:b"]["in_use"]
    assert not pool.models  # clear() had been waiting for that
    assert not pool.tokenizers


def test_an_owner_that_clears_is_done(pool: ResourcePool) -> None:
    with pool.owner("file"):
        pool.get_model("a", "mine", Thing)
        with pool.lease("a", "leased", Thing):
            pool.clear()
            assert set(pool.models) == {"a:leased"}
        assert not pool.models
        again = pool.get_model("a", "mine", Thing)
        assert pool.cleanup_unused_resources(0) == 0
        assert pool.get_model("a", "mine") is again


def test_a_lease_ends_with_its_block(pool: ResourcePool, world: Any) -> None:
    with pool.lease("a", "b", Thing) as one:
        with pool.lease("a", "b") as two:
            assert one is two
        world.now += 10_000
        assert pool.cleanup_unused_resources(0) == 0
    assert pool.cleanup_unused_resources(0) == 1
    with pytest.raises(UsageError, match="pass a constructor"), pool.lease("a", "b"):
        pass


def test_an_owners_lease_block_lets_go_before_the_owner(pool: ResourcePool) -> None:
    with pool.owner("file"):
        with pool.lease("a", "b", Thing), pool.lease("a", "b", Thing):
            pass
        assert pool.cleanup_unused_resources(0) == 1
    assert [use.key for use in pool.uses("file")] == ["a:b"]


def test_an_interrupted_load_is_flown_by_somebody_else(
    pool: ResourcePool, threads: ThreadPoolExecutor
) -> None:
    def stops() -> None:
        raise SystemExit(3)

    load = SlowLoad(stops)
    first = threads.submit(pool.get_model, "a", "b", load)
    assert load.started.wait(LIMIT)
    second = threads.submit(pool.get_model, "a", "b", Thing)
    wait_for_waiters(pool, 1)
    load.go.set()
    assert isinstance(first.exception(LIMIT), SystemExit)
    assert isinstance(second.result(LIMIT), Thing)


def test_a_lease_ends_with_an_error_too(pool: ResourcePool) -> None:
    with pytest.raises(ZeroDivisionError), pool.owner("file"), pool.lease("a", "b", Thing):
        raise ZeroDivisionError
    assert pool.cleanup_unused_resources(0) == 1


def test_what_is_let_go_is_gone(pool: ResourcePool) -> None:
    class Cyclic:
        def __init__(self) -> None:
            self.me = self

    watched = []
    for name in ("one", "two"):
        watched.append(weakref.ref(pool.get_model("a", name, Cyclic)))
    gc.disable()
    try:
        pool.clear()
        assert [ref() for ref in watched] == [None, None]
    finally:
        gc.enable()
    assert pool.get_stats()["memory_usage"] == 0


def test_owners_and_what_they_used(world: Any, make_source: Any) -> None:
    pool, source = world.pool(), make_source(world, "bert")
    with pool.owner("one.py"):
        pool.get_model("e", "bert", source.load_model, {"device": "cuda"})
        pool.get_model("e", "bert", source.load_model, {"device": "cuda"})
    with pool.owner("two.py"):
        pool.get_model("e", "bert", source.load_model, {"device": "cpu"})
    (one,) = pool.uses("one.py")
    (two,) = pool.uses("two.py")
    assert (one.key, one.device, one.weights, one.hit) == ("e:bert", "cpu", "tiny", False)
    assert one.degraded is not None
    assert one.degraded.startswith("cuda was asked for")
    assert (two.hit, two.degraded) == (True, None)
    assert two.predicted_mb is not None
    assert two.measured_mb == 100
    assert pool.uses("three.py") == ()
    with pool.owner("one.py"):
        assert pool.uses("one.py") == ()


def test_a_degraded_hit_says_so_to_each_owner(world: Any, make_source: Any) -> None:
    pool, source = world.pool(), make_source(world, "bert")
    pool.get_model("e", "bert", source.load_model)
    for name in ("one", "two"):
        with pool.owner(name):
            pool.get_model("e", "bert", source.load_model, {"device": "cuda"})
        (use,) = pool.uses(name)
        assert use.hit
        assert use.degraded is not None


def test_threads_of_an_owner_count_as_the_owner(
    pool: ResourcePool, threads: ThreadPoolExecutor, world: Any
) -> None:
    with pool.owner("file"):
        threads.submit(pool.get_model, "a", "b", Thing).result(LIMIT)
        world.now += 10_000
        assert pool.cleanup_unused_resources(0) == 0
    assert pool.cleanup_unused_resources(0) == 1


def test_owners_in_several_threads_do_not_mix(
    pool: ResourcePool, threads: ThreadPoolExecutor
) -> None:
    both = threading.Barrier(2)

    def file(name: str) -> None:
        with pool.owner(name):
            both.wait(LIMIT)
            pool.get_model("a", name, Thing)
            both.wait(LIMIT)

    results([threads.submit(file, name) for name in ("one", "two")])
    assert [use.key for use in pool.uses("one")] == ["a:one"]
    assert [use.key for use in pool.uses("two")] == ["a:two"]


def test_tasks_of_one_thread_have_their_own_owners(pool: ResourcePool, world: Any) -> None:
    """Owners and leases follow asyncio's tasks, and the threads that a task hands work to."""

    async def file(name: str, others: asyncio.Barrier) -> None:
        with pool.owner(name):
            await others.wait()
            pool.get_model("a", name, Thing)
            await others.wait()
            await asyncio.to_thread(pool.get_model, "a", f"{name} in a thread", Thing)
            with pool.lease("a", f"{name} leased", Thing):
                await others.wait()
                world.now += 10_000
                assert pool.cleanup_unused_resources(0) == 0
                await others.wait()
        await others.wait()

    async def run() -> None:
        others = asyncio.Barrier(2)
        await asyncio.gather(file("one", others), file("two", others))

    asyncio.run(run())
    for name in ("one", "two"):
        keys = [use.key for use in pool.uses(name)]
        assert keys == [f"a:{name}", f"a:{name} in a thread", f"a:{name} leased"]
    assert pool.cleanup_unused_resources(0) == 6


def test_an_owner_that_is_left_in_another_context(pool: ResourcePool, world: Any) -> None:
    """As a fixture of a framework does that runs its set-up and its clean-up as two tasks."""
    owner = pool.owner("fixture")

    async def enter() -> None:
        owner.__enter__()

    async def leave() -> None:
        owner.__exit__(None, None, None)

    asyncio.run(enter())
    pool.get_model("a", "b", Thing)  # the only owner there is
    world.now += 10_000
    assert pool.cleanup_unused_resources(0) == 0
    asyncio.run(leave())
    assert pool.cleanup_unused_resources(0) == 1


def test_an_owner_that_has_ended_takes_no_more(
    pool: ResourcePool, threads: ThreadPoolExecutor
) -> None:
    load = SlowLoad()
    with pool.owner("file"):
        context = contextvars.copy_context()
        late = threads.submit(context.run, pool.get_model, "a", "b", load)
        assert load.started.wait(LIMIT)
    load.go.set()
    assert late.result(LIMIT) is not None
    assert pool.cleanup_unused_resources(0) == 1


def test_what_was_cleared_while_it_moved_goes_when_it_arrives(
    make_world: Any, make_source: Any, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rpgen.pool import moving

    world = make_world(gpus={"cuda:0": 1000.0})
    pool = world.pool()
    pool.get_model("e", "one", make_source(world, "one").load_model)
    begun, go, bring = threading.Event(), threading.Event(), moving.bring

    def slowly(value: Any, device: str, dtype: str | None) -> None:
        begun.set()
        assert go.wait(LIMIT)
        bring(value, device, dtype)

    monkeypatch.setattr(moving, "bring", slowly)
    move = threads.submit(pool.move_model_to_device, "e", "one", "cpu")
    assert begun.wait(LIMIT)
    pool.clear()
    go.set()
    assert move.result(LIMIT)
    assert not pool.models
    assert not any(world.taken.values())


def test_a_hit_does_not_wait_for_another_models_move(
    make_world: Any, make_source: Any, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rpgen.pool import moving

    world = make_world(gpus={"cuda:0": 1000.0})
    pool = world.pool()
    there = pool.get_model("e", "there", make_source(world, "there").load_model)
    pool.get_model("e", "moved", make_source(world, "moved").load_model)
    begun, go, bring = threading.Event(), threading.Event(), moving.bring

    def slowly(value: Any, device: str, dtype: str | None) -> None:
        begun.set()
        assert go.wait(LIMIT)
        bring(value, device, dtype)

    monkeypatch.setattr(moving, "bring", slowly)
    move = threads.submit(pool.move_model_to_device, "e", "moved", "cpu")
    assert begun.wait(LIMIT)
    again = make_source(world, "there")
    assert pool.get_model("e", "there", again.load_model, {"device": "cuda"}) is there
    assert pool.get_model("e", "there") is there
    go.set()
    assert move.result(LIMIT)


def test_a_storm_of_everything(pool: ResourcePool, threads: ThreadPoolExecutor) -> None:
    """Get, lease, clean and clear from 16 threads: no error, and the sums agree at the end."""

    def storm(number: int) -> None:
        for step in range(60):
            name = str((number + step) % 5)
            with pool.owner(f"file {number}"):
                model = pool.get_model("m", name, Thing)
                assert pool.get_model("m", name, Thing) is model
                with pool.lease("m", name, Thing) as leased:
                    assert leased is model
                if step % 7 == 0:
                    pool.clear()
                    model = pool.get_model("m", name, Thing)
                pool.cleanup_unused_resources(0)
                assert pool.get_model("m", name, Thing) is model
                list(pool.models)

    results([threads.submit(storm, number) for number in range(16)])
    pool.clear()
    assert pool.get_stats()["memory_usage"] == 0
    assert not pool.models
    assert len(pool._obtain.flights) == 0
    assert not pool._table.requests
