"""What is worth making room for: a better way to have the model, and nothing beyond that."""

from typing import Any

import pytest

from rpgen.errors import DoesNotFitError

GPUS = {"cuda:0": 1000.0, "cuda:1": 1000.0}


@pytest.fixture
def split_source(make_source: Any, fake_model: Any) -> Any:
    """A checkpoint that can be laid over several devices, as the pool sees one."""

    class Splittable(make_source):  # type: ignore[misc]
        can_split = True

        def load_model(self, device: str = "cpu", dtype: Any = None, split: Any = None) -> Any:
            if split is None:
                return super().load_model(device, dtype)
            self.loads.append((f"split over {split}", dtype))
            return [
                fake_model(min(most, split.weights_mb / len(split.max_mb)), self.world, place)
                for place, most in split.max_mb.items()
            ]

    return Splittable


def test_a_split_that_fits_only_once_idle_models_have_gone(
    make_world: Any, make_source: Any, split_source: Any
) -> None:
    world = make_world(gpus=dict(GPUS), host_mb=100.0)
    pool = world.pool()
    for name, device in (("one", "cuda:0"), ("two", "cuda:1"), ("small", "cuda:1")):
        mb = 60.0 if name == "small" else 600.0
        pool.get_model("e", name, make_source(world, name, mb=mb).load_model, {"device": device})
        world.now += 1
    source = split_source(world, "large", mb=1200.0)
    pool.get_model("e", "large", source.load_model, {"allow_split": True})
    assert [device for device, _ in source.loads] == ["split over cuda:1, cuda:0, cpu"]
    assert "e:small" in pool.models  # it was not in the way
    assert "e:one" not in pool.models
    assert "e:two" not in pool.models
    assert pool.get_stats()["evictions"] == 2


def test_a_split_that_fits_in_no_case_costs_nobody_their_place(
    make_world: Any, make_source: Any, split_source: Any
) -> None:
    world = make_world(gpus=dict(GPUS), host_mb=100.0)
    pool = world.pool()
    pool.get_model("e", "one", make_source(world, "one", mb=600.0).load_model)
    source = split_source(world, "large", mb=2600.0)
    with pytest.raises(DoesNotFitError, match="in all"):
        pool.get_model("e", "large", source.load_model, {"allow_split": True})
    assert set(pool.models) == {"e:one"}
    assert source.loads == []


def test_who_is_in_use_does_not_make_room_for_a_split(
    make_world: Any, make_source: Any, split_source: Any
) -> None:
    world = make_world(gpus=dict(GPUS), host_mb=100.0)
    pool = world.pool()
    source = split_source(world, "large", mb=1200.0)
    with (
        pool.lease("e", "one", make_source(world, "one", mb=800.0).load_model),
        pytest.raises(DoesNotFitError),
    ):
        pool.get_model("e", "large", source.load_model, {"allow_split": True})
    assert pool.get_model("e", "large", source.load_model, {"allow_split": True})


def test_idle_models_go_before_a_part_is_put_on_the_disk(
    make_world: Any, make_source: Any, split_source: Any
) -> None:
    world = make_world(gpus=dict(GPUS), host_mb=100.0)
    pool = world.pool()
    pool.get_model("e", "one", make_source(world, "one", mb=800.0).load_model)
    source = split_source(world, "large", mb=1200.0)
    wishes = {"allow_split": True, "allow_disk": True}
    pool.get_model("e", "large", source.load_model, wishes)
    assert [device for device, _ in source.loads] == ["split over cuda:0, cuda:1, cpu"]
    assert "e:one" not in pool.models


def test_a_budget_does_not_make_an_eviction_wait(
    make_world: Any, make_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was freed shows in the driver's figure, not in what a budget leaves of it."""
    from rpgen.pool import admission

    waited: list[bool] = []
    settle = admission.settle

    def without_time(free_now: Any, wanted_mb: float) -> bool:
        waited.append(settle(free_now, wanted_mb, clock=iter(range(100)).__next__, sleep=id))
        return waited[-1]

    monkeypatch.setattr(admission, "settle", without_time)
    world = make_world(gpus={"cuda:0": 80_000.0}, host_mb=50.0)
    pool = world.pool(budgets_mb={"cuda:0": 1000.0})
    for name in ("one", "two", "three"):
        pool.get_model("e", name, make_source(world, name, mb=600.0).load_model)
    assert waited == [True, True]
