"""Measured peaks: kept, read back, believed only of the same thing, and used as prediction."""

import json
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from rpgen.pool.peaks import Peak, PeakStore, expected, torch_version, users_store

ONE = Peak("bert", "auto_class=AutoModel", "cpu", "fp32", 120.0, 100.0, torch_version())


def test_kept_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "peaks.jsonl"
    assert PeakStore(path).add(ONE)
    assert PeakStore(path).of("bert", "auto_class=AutoModel") == (ONE,)
    assert PeakStore(path).of("bert", "") == ()
    assert PeakStore(path).of("other", "auto_class=AutoModel") == ()


def test_another_torch_may_need_another_amount(tmp_path: Path) -> None:
    store = PeakStore(tmp_path / "peaks.jsonl")
    store.add(replace(ONE, torch="0.1"))
    assert store.of("bert", "auto_class=AutoModel") == ()


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", "7", '{"name": 3}', "\x00\xff", "[" * 5000,
     json.dumps({**asdict(ONE), "peak_mb": "9"}), json.dumps({**asdict(ONE), "more": 1}),
     json.dumps({**asdict(ONE), "peak_mb": float("inf")}),
     json.dumps({**asdict(ONE), "weights_mb": float("nan")}),
     json.dumps({**asdict(ONE), "dtype": 1})],
)  # fmt: skip
def test_what_cannot_be_read_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "peaks.jsonl"
    whole = json.dumps(asdict(ONE))
    path.write_text(f"{whole}\n{line}\n{whole}\n", "utf-8")
    assert PeakStore(path).of(ONE.name, ONE.options) == (ONE, ONE)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = PeakStore(tmp_path / "file" / "peaks.jsonl")
    assert not store.add(ONE)
    assert store.of(ONE.name, ONE.options) == (ONE,)  # at least for this run
    assert not PeakStore(None).add(ONE)


def test_several_at_once_and_it_never_grows_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpgen.pool.peaks._LARGEST_FILE", 2000)
    path = tmp_path / "peaks.jsonl"

    def write(number: int) -> None:
        store = PeakStore(path)
        for _ in range(20):
            store.add(replace(ONE, name=f"model {number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.stat().st_size < 20_000
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert [file.name for file in tmp_path.iterdir()] == ["peaks.jsonl"]


def test_the_highest_of_the_last_few_of_the_same_weights() -> None:
    peaks = [replace(ONE, peak_mb=mb) for mb in (900.0, 110.0, 130.0, 120.0)]
    peaks.append(replace(ONE, peak_mb=500.0, weights_mb=300.0))
    peaks.append(replace(ONE, kind="cuda H200", dtype=None, peak_mb=140.0))
    found = expected(tuple(peaks), {"fp32": 101.0, None: 100.0})
    assert found == {("cpu", "fp32"): 130.0, ("cuda H200", None): 140.0}
    assert expected(tuple(peaks), {"fp32": None, None: 50.0}) == {}


def test_the_users_store_is_in_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RPGEN_CACHE_DIR", str(tmp_path))
    assert users_store().add(ONE)
    assert (tmp_path / "peaks.jsonl").exists()


def test_a_pool_predicts_what_was_measured(
    make_world: Any, make_source: Any, tmp_path: Path
) -> None:
    path = tmp_path / "peaks.jsonl"
    world = make_world(gpus={"cuda:0": 8000.0})
    first = world.pool(peaks=PeakStore(path))
    with first.owner("one.py"):
        first.get_model("e", "m", make_source(world, "m").load_model)
        guessed = first.uses("one.py")[0]
        assert first.note_peak("one.py", 345.0)
    first.clear()
    second = world.pool(peaks=PeakStore(path))
    with second.owner("two.py"):
        second.get_model("e", "m", make_source(world, "m").load_model)
        second.get_model("e", "m", make_source(world, "m").load_model, {"device": "cpu"})
        second.get_model("e", "m", make_source(world, "m", mb=200.0).load_model, {"device": "cpu"})
    known, elsewhere = second.uses("two.py")[:2]
    assert (guessed.estimate_source, known.estimate_source) == (
        "safetensors headers",
        "the last measured peak",
    )
    assert known.predicted_mb == 345.0
    assert elsewhere.predicted_mb != 345.0  # nothing was measured on the CPU
    second.clear()


def test_what_is_not_one_models_peak_is_not_noted(make_world: Any, make_source: Any) -> None:
    world = make_world(gpus={"cuda:0": 8000.0})
    pool = world.pool(peaks=PeakStore(None))
    with pool.owner("two models"):
        pool.get_model("e", "a", make_source(world, "a").load_model)
        pool.get_model("e", "b", make_source(world, "b").load_model)
        assert not pool.note_peak("two models", 1.0)
    with pool.owner("opaque"):
        pool.get_model("e", "o", lambda: object())
        assert not pool.note_peak("opaque", 1.0)
    with pool.owner("none"):
        assert not pool.note_peak("none", 1.0)
    assert not pool.note_peak("nobody", 1.0)
    with pool.owner("degraded"):
        pool.get_model("e", "a", make_source(world, "a").load_model, {"device": "tpu"})
        assert not pool.note_peak("degraded", 1.0)
    pool.clear()
