"""Random interleavings against a simple model of what must hold."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rpgen.pool.future import Coming

NAMES = st.sampled_from(["a", "b", "c"])
WISHES = st.sampled_from(
    [None, {"device": "auto"}, {"device": "cpu"}, {"device": "cuda:1"}, {"precision": "fp16"}]
)


def test_whatever_happens_the_books_agree(make_world: Any, make_source: Any) -> None:
    class PoolMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            gpus = {"cuda:0": 900.0, "cuda:1": 500.0}
            self.world = make_world(gpus=gpus, host_mb=6000.0)
            self.pool = self.world.pool()
            self.sources = {
                name: make_source(self.world, name, mb=mb)
                for name, mb in (("a", 100.0), ("b", 300.0), ("c", 600.0))
            }
            self.leases: list[tuple[Any, Any, str]] = []

        @rule(name=NAMES, wishes=WISHES)
        def get(self, name: str, wishes: Any) -> None:
            source = self.sources[name]
            first = self.pool.get_model("e", name, source.load_model, wishes)
            loads = len(source.loads)
            assert self.pool.get_model("e", name, source.load_model, wishes) is first
            assert len(source.loads) == loads
            assert first.name == name

        @rule(name=NAMES, wishes=WISHES)
        def lease(self, name: str, wishes: Any) -> None:
            context = self.pool.lease("e", name, self.sources[name].load_model, wishes)
            model = context.__enter__()
            self.leases.append((context, model, model.device))

        @precondition(lambda self: self.leases)
        @rule(place=st.integers(0, 100))
        def release(self, place: int) -> None:
            context, _, _ = self.leases.pop(place % len(self.leases))
            context.__exit__(None, None, None)

        @rule(names=st.lists(NAMES, max_size=6), knows=st.booleans())
        def expect(self, names: list[str], knows: bool) -> None:
            def tell(key: str) -> Coming | None:
                name = key.removeprefix("e:")
                return Coming("e", name, self.sources[name].load_model) if knows else None

            self.pool.expect([f"e:{name}" for name in names], tell)

        @rule(name=NAMES)
        def discard(self, name: str) -> None:
            self.pool.discard(f"e:{name}")

        @rule(minutes=st.sampled_from([0, 0.5, 30]))
        def clean(self, minutes: float) -> None:
            self.pool.cleanup_unused_resources(minutes)

        @rule(seconds=st.integers(1, 3000))
        def time_passes(self, seconds: int) -> None:
            self.world.now += seconds

        @rule(name=NAMES, device=st.sampled_from(["cpu", "cuda:0", "cuda:1"]))
        def move(self, name: str, device: str) -> None:
            try:
                self.pool.move_model_to_device("e", name, device)
            except MemoryError:
                return  # no room there, whatever was freed: it stays where it was

        @rule()
        def clear(self) -> None:
            self.pool.clear()
            busy = {id(model) for _, model, _ in self.leases}
            assert {id(model) for model in self.pool.models.values()} == busy

        @rule(name=NAMES)
        def failing_load(self, name: str) -> None:
            def fails() -> None:
                raise ValueError(name)

            with pytest.raises(ValueError, match=name):
                self.pool.get_model("broken", name, fails)

        @rule(on=st.booleans())
        def low_memory(self, on: bool) -> None:
            if on:
                self.pool.enable_low_memory_mode()
            else:
                self.pool.disable_low_memory_mode()

        @invariant()
        def in_use_never_goes_and_never_moves(self) -> None:
            held = {id(model) for model in self.pool.models.values()}
            for _, model, device in self.leases:
                assert id(model) in held
                assert model.device == device

        @invariant()
        def accounting_is_the_sum_of_what_lives(self) -> None:
            stats = self.pool.get_stats() if not self.leases else None
            entries = list(self.pool._table)
            total = sum(entry.size.total for entry in entries)
            assert total == sum(int(model.mb) * 2**20 for model in self.pool.models.values())
            assert stats is None or stats["memory_usage"] == total
            by_device: dict[str, float] = {}
            for model in self.pool.models.values():
                by_device[model.device] = by_device.get(model.device, 0.0) + model.mb
            for device, taken in self.world.taken.items():
                assert by_device.get(device, 0.0) <= taken + 1e-6

        @invariant()
        def every_name_leads_to_a_live_entry(self) -> None:
            entries = list(self.pool._table)
            assert len({entry.identity for entry in entries}) == len(entries)
            for entry in entries:
                assert entry.live
                assert not entry.moving
                named = self.pool._table.by_identity(entry.identity)
                assert named is entry or (entry.doomed and not entry.requests)
            assert all(entry.live for entry in self.pool._requests.values())
            assert self.pool._reservations.by_domain() == {}

        def teardown(self) -> None:
            for context, _, _ in self.leases:
                context.__exit__(None, None, None)
            self.leases.clear()
            self.pool.clear()
            assert not self.pool.models
            assert not self.pool._requests
            assert all(abs(taken) < 1e-6 for taken in self.world.taken.values())

    run_state_machine_as_test(
        PoolMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
