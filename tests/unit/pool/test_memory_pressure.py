"""Short of memory: reservations, eviction before a load, and the ladder when it runs out."""

import errno
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rpgen.errors import DoesNotFitError, ModelUnavailableError
from rpgen.placement.estimate import Needs
from rpgen.pool.cleanup import settle
from rpgen.pool.memory import Reservations
from rpgen.pool.obtain import _to_remember
from rpgen.pool.oom import out_of_memory

LIMIT = 20.0


def test_room_is_made_by_letting_idle_models_go(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 1000.0}, host_mb=500.0)
    pool = world.pool()
    for name in ("one", "two"):
        world.now += 1
        pool.get_model("e", name, make_source(world, name, mb=400.0).load_model)
    third = pool.get_model("e", "three", make_source(world, "three", mb=400.0).load_model)
    assert third.device == "cuda:0"
    assert set(pool.models) == {"e:two", "e:three"}
    assert pool.get_stats()["evictions"] == 1
    assert world.taken["cuda:0"] == 800


def test_nothing_goes_where_another_device_of_the_kind_has_room(
    make_world: Any, make_source: Any
) -> None:
    world = make_world(gpus={"cuda:0": 500.0, "cuda:1": 600.0})
    pool = world.pool()
    first = pool.get_model("e", "one", make_source(world, "one", mb=300.0).load_model)
    second = pool.get_model("e", "two", make_source(world, "two", mb=300.0).load_model)
    assert (first.device, second.device) == ("cuda:0", "cuda:1")
    assert pool.get_stats()["evictions"] == 0


def test_what_is_used_soon_stays(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 1000.0}, host_mb=500.0)
    pool = world.pool()
    for name in ("one", "two"):
        world.now += 1
        pool.get_model("e", name, make_source(world, name, mb=400.0).load_model)
    pool.expect(["e:three", "e:one"])  # one is the least recently used, but is wanted again
    pool.get_model("e", "three", make_source(world, "three", mb=400.0).load_model)
    assert set(pool.models) == {"e:one", "e:three"}


def test_in_use_never_goes_and_the_refusal_has_the_numbers(
    make_world: Any, make_source: Any
) -> None:
    world = make_world(gpus={"cuda:0": 1000.0}, host_mb=300.0)
    pool = world.pool()
    with (
        pool.lease("e", "one", make_source(world, "one", mb=700.0).load_model) as model,
        pytest.raises(
            DoesNotFitError, match=r"cuda:0: needs 484 MB with its margin and 300 MB are"
        ),
    ):
        pool.get_model("e", "two", make_source(world, "two", mb=400.0).load_model)
    assert model.device == "cuda:0"
    assert set(pool.models) == {"e:one"}


def test_what_can_never_fit_costs_nobody_their_place(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 1000.0}, host_mb=300.0)
    pool = world.pool()
    pool.get_model("e", "one", make_source(world, "one", mb=700.0).load_model)
    huge = make_source(world, "huge", mb=90_000.0)
    with pytest.raises(DoesNotFitError, match="in all"):
        pool.get_model("e", "huge", huge.load_model)
    assert set(pool.models) == {"e:one"}
    assert huge.loads == []


def test_a_budget_is_kept(make_world: Any, make_source: Any) -> None:
    world = make_world()
    pool = world.pool(budgets_mb={"cpu": 1000.0})
    for number in range(6):
        world.now += 1
        name = str(number)
        pool.get_model("e", name, make_source(world, name, mb=300.0).load_model)
        assert world.taken["cpu"] <= 1000
    assert len(pool.models) == 3


def test_two_loads_never_count_on_the_same_bytes(make_world: Any, make_source: Any) -> None:
    """The second one waits for the first one's promise to end, then sees what is left."""
    world = make_world(gpus={"cuda:0": 1000.0})
    pool = world.pool()
    promises: Reservations = pool._reservations
    ticket = promises.reserve({"cuda:0": 700.0})
    wanted = pool._fetch.wanted("bert", {})
    needs = Needs(figures=make_source(world, "x", mb=400.0).estimate())
    found = pool._admission.peek(needs, wanted.preferences)
    assert found.device == "cpu"
    promises.release(ticket)
    assert promises.by_domain() == {}


def test_waiting_for_a_promise_to_end() -> None:
    promises = Reservations()
    assert not promises.wait_for_others(LIMIT)  # nobody to wait for
    own = promises.reserve({"cpu": 1.0})
    assert not promises.wait_for_others(LIMIT)  # somebody may wait for us
    promises.release(own)
    with ThreadPoolExecutor(1) as executor:
        theirs = executor.submit(promises.reserve, {"cpu": 1.0}).result(LIMIT)
        timer = threading.Timer(0.01, promises.release, [theirs])
        timer.start()
        assert promises.wait_for_others(LIMIT)
        timer.join()


def test_no_promise_is_left_behind(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 1000.0})
    pool = world.pool()

    def fails(_device: str) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pool.get_model("e", "one", make_source(world, "one", before=fails).load_model)
    pool.get_model("e", "two", make_source(world, "two").load_model)
    assert pool._reservations.by_domain() == {}


def test_unified_memory_is_one_budget(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"mps": 1000.0}, host_mb=1000.0, unified=True)
    pool = world.pool()
    one, two = (make_source(world, name, mb=700.0) for name in ("one", "two"))
    with (
        pool.lease("e", "one", one.load_model, {"device": "cpu"}),
        pytest.raises(DoesNotFitError, match="mps: needs"),
    ):
        pool.get_model("e", "two", two.load_model)


def test_a_device_that_shares_the_hosts_memory_has_its_own_limit_too(
    make_world: Any, make_source: Any
) -> None:
    world = make_world(gpus={"mps": 1000.0}, host_mb=8000.0, unified=True)
    pool = world.pool(budgets_mb={"mps": 500.0})
    pool.get_model("e", "one", make_source(world, "one", mb=300.0).load_model)
    pool.get_model("e", "two", make_source(world, "two", mb=300.0).load_model)
    assert set(pool.models) == {"e:two"}  # there is room on the host, and it was not for mps
    assert pool.get_stats()["devices"] == {"mps": 300 * 2**20}
    fresh = world.pool()
    world.gpus["mps"] = 350.0  # as the driver sees it
    found = fresh.get_model("e", "three", make_source(world, "three", mb=300.0).load_model)
    assert found.device == "cpu"


def test_a_load_that_waits_for_room_lets_the_gate_go(
    make_world: Any, make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another load has the room and goes through the gate itself before it ends."""
    world = make_world(host_mb=300.0)
    pool = world.pool()
    inside, waits = threading.Event(), threading.Event()
    promises: Reservations = pool._reservations
    wait_for_others = promises.wait_for_others

    def waiting(seconds: float) -> bool:
        waits.set()
        return wait_for_others(seconds)

    monkeypatch.setattr(promises, "wait_for_others", waiting)
    small = make_source(world, "small", mb=1.0)

    def opaque() -> object:
        inside.set()
        assert waits.wait(LIMIT)
        pool.get_model("e", "small", small.load_model)
        return object()

    wishes = {"hw_compatibility": {"cpu": {"memory_usage": {"peak": 200}}}}
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(pool.get_model, "e", "opaque", opaque, wishes)
        assert inside.wait(LIMIT)
        large = make_source(world, "large", mb=200.0)
        second = threads.submit(pool.get_model, "e", "large", large.load_model)
        assert first.result(LIMIT) is not None
        assert second.result(LIMIT).mb == 200


def test_only_the_chosen_device_is_woken(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={f"cuda:{i}": 8000.0 for i in range(4)}, sleeping=True)
    pool = world.pool()
    model = pool.get_model("e", "one", make_source(world, "one").load_model)
    assert world.woken == [model.device]


class Ladder:
    """Runs out of memory so often on each device."""

    def __init__(self, **times: int) -> None:
        self.times = {name.replace("_", ":"): count for name, count in times.items()}

    def __call__(self, device: str) -> None:
        if self.times.get(device, 0) > 0:
            self.times[device] -= 1
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")


def test_first_step_free_what_is_idle_and_try_again(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool = world.pool()
    pool.get_model("e", "idle", make_source(world, "idle").load_model)
    source = make_source(world, "new", before=Ladder(cuda_0=1))
    with pool.owner("file"):
        model = pool.get_model("e", "new", source.load_model)
    assert model.device == "cuda:0"
    assert [device for device, _ in source.loads] == ["cuda:0", "cuda:0"]
    assert set(pool.models) == {"e:new"}
    assert pool.uses("file")[0].degraded is None


def test_second_step_the_next_device_reported_as_degraded(
    make_world: Any, make_source: Any
) -> None:
    world = make_world(gpus={"cuda:0": 8000.0, "cuda:1": 8000.0})
    pool = world.pool()
    source = make_source(world, "new", before=Ladder(cuda_0=9, cuda_1=9))
    with pool.owner("file"):
        model = pool.get_model("e", "new", source.load_model)
        again = pool.get_model("e", "new", source.load_model)
    assert again is model
    assert model.device == "cpu"
    tried = [device for device, _ in source.loads]
    assert tried == ["cuda:0", "cuda:0", "cuda:1", "cuda:1", "cpu"]
    (use,) = pool.uses("file")
    assert use.degraded == "cuda:0 was chosen: it ran out of memory while loading"
    assert use.device == "cpu"
    assert pool._stats["e:new"]["device"] == "cpu"


def test_what_is_on_the_next_device_already_is_not_loaded_again(
    make_world: Any, make_source: Any
) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool = world.pool()
    first = make_source(world, "one")
    there = pool.get_model("e", "one", first.load_model, {"device": "cpu"})
    second = make_source(world, "one", before=Ladder(cuda_0=9, cpu=9))
    with pool.owner("file"):
        assert pool.get_model("e", "one", second.load_model) is there
    assert second.loads == [("cuda:0", None), ("cuda:0", None)]
    assert pool.uses("file")[0].degraded == "cuda:0 was chosen: it ran out of memory while loading"
    assert len(pool.models) == 1
    assert pool._reservations.by_domain() == {}


def test_last_step_a_failure_that_says_who_holds_what(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool = world.pool()
    source = make_source(world, "new", before=Ladder(cuda_0=9, cpu=9))
    with (
        pool.lease("e", "held", make_source(world, "held").load_model),
        pytest.raises(DoesNotFitError, match=r"cuda:0: .*e:held 100 MB on cuda:0 in use") as caught,
    ):
        pool.get_model("e", "new", source.load_model)
    assert "CUDA out of memory" in str(caught.value.__cause__)
    assert pool._reservations.by_domain() == {}
    source.before = lambda _device: None
    assert pool.get_model("e", "new", source.load_model) is not None  # it isn't remembered


def test_a_forced_device_is_not_left(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    source = make_source(world, "new", before=Ladder(cuda_0=9))
    forced = {"device": "cuda", "force_device": True}
    with pytest.raises(DoesNotFitError):
        world.pool().get_model("e", "new", source.load_model, forced)
    assert {device for device, _ in source.loads} == {"cuda:0"}


def test_what_will_fail_again_is_remembered_for_the_run(world: Any, make_source: Any) -> None:
    pool = world.pool()

    def missing(_device: str) -> None:
        raise ModelUnavailableError("there is no such model")

    source = make_source(world, "gone", before=missing)
    for _ in range(3):
        with pytest.raises(ModelUnavailableError):
            pool.get_model("e", "gone", source.load_model)
    assert len(source.loads) == 1
    pool.clear()
    with pytest.raises(ModelUnavailableError):
        pool.get_model("e", "gone", source.load_model)
    assert len(source.loads) == 2


class NeedsMore(ModelUnavailableError):  # noqa: N818 - as a library names its own
    """An error that can't be made from its message alone, as huggingface_hub has them."""

    def __init__(self, message: str, *, response: object) -> None:
        super().__init__(message)


@pytest.mark.parametrize("kind", [ModelUnavailableError, NeedsMore])
def test_what_is_remembered_of_a_failure_keeps_nothing_alive(
    world: Any, make_source: Any, kind: Any
) -> None:
    pool, watched = world.pool(), []

    class Half:
        pass

    def missing(_device: str) -> None:
        half = Half()
        watched.append(weakref.ref(half))
        more = {"response": half} if kind is NeedsMore else {}
        try:
            raise KeyError("config.json")
        except KeyError as error:
            raise kind("half of it is not there", **more) from error

    def asks(asker: Half) -> str:
        watched.append(weakref.ref(asker))
        with pytest.raises(ModelUnavailableError, match="half of it") as caught:
            pool.get_model("e", "gone", source.load_model)
        return repr(caught.value.__cause__)

    source = make_source(world, "gone", before=missing)
    assert [asks(Half()) for _ in range(3)] == ["KeyError('config.json')"] * 3
    gc.collect()
    assert [ref() for ref in watched] == [None] * 4
    assert len(source.loads) == 1


class OutOfMemoryError(Exception):
    """Somebody's own, with a telling name."""


def caused(outer: Exception, inner: BaseException) -> Exception:
    try:
        try:
            raise inner
        except BaseException as error:
            raise outer from error
    except type(outer) as error:
        return error


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (MemoryError(), "host"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "host"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 1"), "host"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "cuda"),
        (RuntimeError("HIP out of memory. Tried to allocate"), "hip"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), "mps"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "cuda"),
        (caused(ValueError("could not load"), MemoryError()), "host"),
        (ExceptionGroup("several", [ValueError("x"), MemoryError()]), "host"),
        (ValueError("the room has no oom"), None),
        (RuntimeError("bloom: a model with oom in its name"), None),
        (ValueError("CUDA out of memory"), None),  # a type that no allocator raises
        (OutOfMemoryError("out of memory"), None),
        (OSError(errno.ENOENT, "no such file"), None),
        (KeyError("out of memory"), None),
    ],
)
def test_out_of_memory_is_known_by_type_and_cause(error: Exception, where: str | None) -> None:
    found = out_of_memory(error)
    assert (found.where if found else None) == where


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert out_of_memory(one) is None


def test_settling_waits_for_the_driver_and_no_longer() -> None:
    now, free = [0.0], iter([10.0, 20.0, 100.0])
    assert settle(
        lambda: next(free), 90, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s)
    )
    assert not settle(
        lambda: 1.0, 90, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s)
    )
    assert now[0] < 6
    assert settle(lambda: None, 90)


def test_an_error_that_causes_itself_is_remembered_once() -> None:
    error, other = ValueError("it"), KeyError("that")
    error.__cause__, other.__cause__ = other, error
    kept = _to_remember(error)
    assert str(kept) == "it"
    assert isinstance(kept.__cause__, KeyError)
    assert kept.__cause__.__cause__ is None
