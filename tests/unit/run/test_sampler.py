"""Samples of memory are written where they tell something new, and changes of the pool at once."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rpgen.run import events
from rpgen.run.journal import Journal, read
from rpgen.run.sampler import Sampler, moved


def test_what_has_moved() -> None:
    assert not moved({"cpu": 400.0}, {"cpu": 407.0})
    assert moved({"cpu": 400.0}, {"cpu": 409.0})
    assert not moved({"cpu": 4000.0}, {"cpu": 4070.0})
    assert moved({"cpu": 400.0}, {"cpu": 400.0, "cuda:0": 0.0})


def test_a_sample_is_written_when_it_tells_something_new(tmp_path: Path) -> None:
    sampler = Sampler(3, Journal(tmp_path / "j"))
    for second, used in ((0, 100.0), (1, 101.0), (2, 150.0), (20, 151.0), (33, 151.0)):
        sampler.path = f"at {second}"
        sampler.sample({"cpu": used}, clock=lambda now=float(second): 1000.0 + now)
    written = [each for each in read(tmp_path / "j") if isinstance(each, events.MemorySample)]
    assert [(each.path, each.used_mb["cpu"]) for each in written] == [
        ("at 0", 100.0),
        ("at 2", 150.0),
        ("at 33", 151.0),
    ]


def entry(kind: str, key: str) -> Any:
    return SimpleNamespace(
        key=key,
        identity=SimpleNamespace(kind=kind),
        size=SimpleNamespace(total=3 * 2**20, device="cuda:0", dtype="fp16"),
        loaded=SimpleNamespace(weights="tiny", seconds=0.25, predicted_mb=4.0),
    )


def test_loads_and_evictions_are_written(tmp_path: Path) -> None:
    sampler = Sampler(1, Journal(tmp_path / "j"))
    sampler.path = "test_a.py"
    sampler._pool_changed(entry("model", "vision:vit"), None)
    sampler._pool_changed(entry("tokenizer", "tokenizer:vision:vit"), None)
    sampler.path = None
    sampler._pool_changed(entry("model", "vision:vit"), "room was needed")
    loaded, evicted = read(tmp_path / "j")
    assert isinstance(loaded, events.ModelLoaded)
    assert (loaded.path, loaded.device, loaded.measured_mb, loaded.predicted_mb) == (
        "test_a.py",
        "cuda:0",
        3.0,
        4.0,
    )
    assert isinstance(evicted, events.ModelEvicted)
    assert (evicted.path, evicted.reason) == (None, "room was needed")
