"""The pool's models on backends: placed as asked for, accounted for, skipped where absent."""

import sys
import threading
import unittest
from typing import Any

import pytest
import torch

from rpgen.backends import FACILITIES, onnxruntime, openvino
from rpgen.errors import MissingPackageError, UsageError
from rpgen.models import Checkpoint
from rpgen.pool.pool import ResourcePool

BERT = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", "tiny")
IDS = torch.tensor([[5, 17, 33, 8]])


def get(pool: ResourcePool, device: str, **wishes: Any) -> Any:
    return pool.get_model("embedding", BERT.name, BERT.load_model, {"device": device, **wishes})


def test_one_instance_for_each_backend() -> None:
    pool = ResourcePool()
    plain, there = get(pool, "cpu"), get(pool, "onnxruntime")
    assert plain is not there
    assert get(pool, "onnxruntime") is there
    assert get(pool, "cpu") is plain
    assert pool.get_model("embedding", BERT.name, hardware_preferences={"device": "cpu"}) is plain
    assert set(pool.models) == {
        "embedding:bert-base-uncased",
        "embedding:bert-base-uncased@cpu,fp32,auto_class=AutoModelForMaskedLM,on=onnxruntime,weights=tiny",
    }
    pool.clear()


def test_what_a_preparation_takes_is_accounted_for_and_given_back() -> None:
    pool = ResourcePool()
    with pool.owner("a file"):
        model = get(pool, "onnxruntime")
        key = next(iter(pool.models))
        before = pool._stats[key]["memory_usage"]
        model(input_ids=IDS)
        assert pool._stats[key]["memory_usage"] == 2 * before
        assert "the backend's copies" in pool._stats[key]["memory_estimation_method"]
        use = pool.uses("a file")[0]
    computed = model.rpgen_backend
    assert use.device == "cpu"
    assert use.degraded is None
    assert use.backend is not None
    assert use.backend["target"] == "onnxruntime"
    assert use.backend["runs"] == 1
    assert "twice" in str(use.estimate_source)
    del model
    assert pool.cleanup_unused_resources(max_age_minutes=0) == 1
    assert computed.held_bytes == 0


def test_any_torch_module_will_do() -> None:
    class Doubling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"y": 2 * self.layer(x)}

    pool = ResourcePool()
    made = Doubling().eval()
    model = pool.get_model("mine", "doubling", lambda: made, {"device": "onnxruntime"})
    given = torch.linspace(-1.0, 1.0, 12).reshape(3, 4)
    with torch.inference_mode():
        assert torch.allclose(model(given)["y"], 2 * made.layer(given), atol=1e-6)
    with pytest.raises(UsageError, match="computes torch models, not a str"):
        pool.get_model("mine", "text", lambda: "text", {"device": "onnxruntime"})
    pool.clear()


class Shared:
    """What a backend would share among its models."""

    name, held_bytes, closed = "engine", 5_000_000, 0

    def close(self) -> None:
        self.closed += 1


SHARED = Shared()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Shared:
    monkeypatch.setattr(f"{__name__}.SHARED", Shared())
    monkeypatch.setitem(FACILITIES, "onnxruntime", f"{__name__}:shared_now")
    return SHARED


def shared_now() -> Shared:
    return SHARED


def test_what_a_backend_shares_is_the_pools_with_its_memory(shared: Shared) -> None:
    pool = ResourcePool()
    get(pool, "cpu")
    assert "rpgen:engine" not in pool.resources
    model = get(pool, "onnxruntime")
    assert pool.get_resource("rpgen", "engine") is shared
    assert pool._stats["rpgen:engine"]["memory_usage"] == 5_000_000
    shared.held_bytes = 7_000_000
    before = pool.get_stats()
    assert pool._stats["rpgen:engine"]["memory_usage"] == 7_000_000
    assert before["cached_resources"] == 1
    assert before["devices"]["cpu"] == sum(each["memory_usage"] for each in pool._stats.values())
    model(input_ids=IDS)
    computed = model.rpgen_backend
    del model
    assert pool.cleanup_unused_resources(max_age_minutes=0) == 2
    assert (computed.held_bytes, shared.closed) == (0, 0), "in use while its models were here"
    assert list(pool.resources) == ["rpgen:engine"]
    assert pool.cleanup_unused_resources(max_age_minutes=0) == 1
    assert shared.closed == 1
    assert not pool.get_stats()["devices"]


def test_clearing_ends_what_a_backend_shares_after_its_models(shared: Shared) -> None:
    pool = ResourcePool()
    with pool.owner("a file"):
        get(pool, "onnxruntime")
    with pool.owner("another file"):
        get(pool, "onnxruntime")
        done = threading.Thread(target=pool.clear)
        pool.clear()  # by its owner, whose own leases end
        assert (len(pool.models), shared.closed) == (0, 1)
    with pool.lease("embedding", BERT.name, BERT.load_model, {"device": "onnxruntime"}):
        done.start()
        done.join()
        assert (len(pool.models), shared.closed) == (1, 1), "in use"
    assert (len(pool.models), len(pool.resources), shared.closed) == (0, 0, 2)


def test_what_a_refused_model_had_started_is_the_pools_too(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ResourcePool()
    with pytest.raises(unittest.SkipTest):
        get(pool, "onnxruntime:CUDAExecutionProvider")
    assert list(pool.resources) == ["rpgen:engine"]
    pool.clear()
    assert shared.closed == 1


def test_a_model_inside_of_something_else_is_accounted_for_too() -> None:
    class Pipeline:
        def __init__(self) -> None:
            self.model = torch.nn.Linear(64, 64).eval()

    pool = ResourcePool()
    with pool.owner("a file"):
        pipeline = pool.get_model("mine", "pipeline", Pipeline, {"device": "onnxruntime"})
        key = next(iter(pool.models))
        before = pool._stats[key]["memory_usage"]
        with torch.inference_mode():
            pipeline.model(torch.zeros(2, 64))
        assert pool._stats[key]["memory_usage"] == 2 * before
        (use,) = pool.uses("a file")
    assert use.backend is not None
    assert use.backend["runs"] == 1
    pool.clear()


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("openvino:GPU", "lists no GPU, it lists CPU (install the driver of that device"),
        ("onnxruntime:CUDAExecutionProvider", "has no CUDAExecutionProvider, it has"),
        ("qualcomm", "(pip install onnxruntime-qnn in place of onnxruntime)"),
    ],
)
def test_a_device_that_is_not_here_skips_and_never_falls_back(
    device: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ResourcePool()
    with pytest.raises(unittest.SkipTest) as skipped:
        get(pool, device)
    assert reason in str(skipped.value)
    assert not pool.models
    monkeypatch.setenv("RPGEN_REQUIRE_DEVICE", "1")
    with pytest.raises(MissingPackageError, match="it is required"):
        get(pool, device)


@pytest.mark.parametrize(
    ("backend", "package", "remedy"),
    [
        (openvino, "openvino", 'pip install "rpgen[openvino]"'),
        (onnxruntime, "onnxruntime", 'pip install "rpgen[onnx]"'),
        (onnxruntime, "onnx", 'pip install "rpgen[onnx]"'),
    ],
)
def test_a_package_that_is_taken_away_skips_with_the_remedy(
    backend: Any, package: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    backend._probe.cache_clear()
    getattr(backend, "package", backend._probe).cache_clear()
    try:
        with pytest.raises(unittest.SkipTest) as skipped:
            get(ResourcePool(), backend.__name__.rpartition(".")[2])
        assert str(skipped.value).endswith(f"the package {package} isn't installed ({remedy})")
    finally:
        backend._probe.cache_clear()
        getattr(backend, "package", backend._probe).cache_clear()


def test_the_callers_word_on_a_backend_comes_first() -> None:
    told = {"openvino": {"compatible": False, "reason": "it crashed here"}}
    with pytest.raises(unittest.SkipTest, match="openvino was asked for: it crashed here"):
        get(ResourcePool(), "openvino", hw_compatibility=told)


def test_two_files_have_figures_of_their_own() -> None:
    pool, given = ResourcePool(), torch.linspace(-1.0, 1.0, 8).reshape(2, 4)
    told = {}
    for file, runs in (("a", 2), ("b", 1)):
        with pool.owner(file):
            model = pool.get_model(
                "mine", "linear", lambda: torch.nn.Linear(4, 4).eval(), {"device": "onnxruntime"}
            )
            for _ in range(runs):
                model(given)
            told[file] = pool.uses(file)[0].backend
    assert [(each["preparations"], each["runs"], each["compared"]) for each in told.values()] == [
        (1, 2, 1),
        (0, 1, 1),
    ]
    assert pool.uses("a")[0].backend == told["a"]
    pool.clear()
