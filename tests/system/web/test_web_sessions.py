"""No silent fallback, and what a death, a failure or a release costs: with models in pages."""

import functools
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, save

from rpgen.backends.base import BackendError, LostError, ModelIdentity, Prepared, parse_target
from rpgen.backends.call import flat_call
from rpgen.backends.web.backend import (
    WasmBackend,
    WebBackend,
    WebGpuBackend,
    WebNnBackend,
)
from rpgen.backends.web.browser import SharedBrowser, shared_browser
from rpgen.backends.web.program import Program
from rpgen.backends.web.rewrite import for_webnn
from rpgen.backends.web.session import PageSession, Provider
from rpgen.hardware.browser_files import SOFTWARE_ADAPTERS
from rpgen.models import Checkpoint
from rpgen.placement.preferences import Preferences
from rpgen.pool.on_target import BackendAbsentError, require
from rpgen.pool.pool import ResourcePool
from tests.system.web.conftest import gone, without
from tests.torch.backends.contract import SAME, example, relative_difference, tiny

WASM = Provider("wasm", {"name": "wasm"})


def prepare(backend: WebBackend, model: Any, inputs: dict[str, Any], target: str = "") -> Prepared:
    found = parse_target(target or backend.name)
    assert found is not None
    return backend.prepare(flat_call(model, inputs), inputs, found, ModelIdentity("test"))


def evidence(backend: WebBackend, target: str = "") -> Any:
    found = parse_target(target or backend.name)
    assert found is not None
    return backend.probe(found)


def graph(folder: Path, kind: int, operation: str = "Identity", shape: Any = ("n",)) -> Path:
    """A model of one operation, as a file."""
    given = helper.make_tensor_value_info("x", kind, shape)
    got = helper.make_tensor_value_info("y", kind, shape)
    nodes = [helper.make_node(operation, ["x"], ["y"])]
    made = helper.make_graph(nodes, "one", [given], [got])
    path = folder / f"{operation}-{kind}.onnx"
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


class Recurrent(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = torch.nn.RNN(4, 8, batch_first=True)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.rnn(values)[0]


# ---------------------------------------------------------------- nothing falls back in silence


@pytest.mark.parametrize(
    ("kind", "flag", "said"),
    [
        (WebGpuBackend, "--enable-unsafe-webgpu", "adapter|navigator.gpu"),
        (WebNnBackend, "--enable-features=WebMachineLearningNeuralNetwork", "navigator.ml"),
    ],
)
def test_without_an_adapter_there_is_a_reason_and_a_failure(
    browser_files: Program, kind: type[WebBackend], flag: str, said: str
) -> None:
    browser = SharedBrowser(without(browser_files, flag))
    backend = kind(browser)
    try:
        found = evidence(backend)
        assert not found.available
        assert not found.software
        assert re.search(said, found.reason)
        assert found.remedy
        with pytest.raises(BackendError):
            prepare(backend, torch.nn.Linear(4, 4), {"input": torch.ones(2, 4)})
    finally:
        browser.close()


def test_what_others_compute_is_not_wasm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing lies below wasm that could compute in its place; so the nearest there is: a session
    that somebody else got."""
    webgpu = Provider("webgpu", {"name": "webgpu"})
    monkeypatch.setattr(WasmBackend, "_provider", lambda self, target: webgpu)
    with pytest.raises(
        BackendError, match=r"wasm was asked for, but others would compute: \{'WebGpu"
    ):
        prepare(WasmBackend(), torch.nn.Linear(4, 4), {"input": torch.ones(2, 4)})


def test_weight_that_webgpu_leaves_to_the_processor_is_a_failure() -> None:
    with pytest.raises(BackendError, match="RNN of this model would fall back to the processor"):
        prepare(WebGpuBackend(), Recurrent().eval(), {"values": torch.ones(1, 3, 4)})


def test_what_webnn_can_not_take_whole_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """With free sizes part of this model would be computed outside of WebNN."""
    monkeypatch.setattr("rpgen.backends.web.backend._free_sizes", lambda *_: {})
    with pytest.raises(BackendError, match="fallback to CPU EP has been explicitly disabled"):
        prepare(WebNnBackend(), tiny("vit"), example(tiny("vit")))


@pytest.mark.parametrize("device", ["gpu", "npu"])
def test_webnn_on_an_accelerator_is_refused_where_nobody_says_that_it_computes(
    device: str,
) -> None:
    """This Chromium gives a context for each, computes on the processor, and says neither."""
    found = evidence(WebNnBackend(), f"webnn:{device}")
    assert not found.available
    assert f"doesn't say that WebNN computes on the {device}" in found.reason
    inputs = {"input": torch.ones(2, 4)}
    with pytest.raises(BackendError, match=f"doesn't say that WebNN computes on the {device}"):
        prepare(WebNnBackend(), torch.nn.Linear(4, 4), inputs, f"webnn:{device}")


def test_webnn_says_what_computes(own_browser: SharedBrowser) -> None:
    assert not evidence(WebNnBackend(), "webnn:tpu").available
    found = evidence(WebNnBackend(own_browser))
    assert (found.available, found.software) == (True, True)
    assert "computes on the processor" in found.reason
    inputs = {"input": torch.ones(2, 4)}
    told = prepare(WebNnBackend(own_browser), torch.nn.Linear(4, 4), inputs).describe()
    assert (told.device, told.software) == ("CPU", True)
    assert told.notes[:2] == ("WebNN computes on the processor", "the graph in 1 part")
    says = "rpgen.machineLearning = async () => ({ accelerated: true })"
    own_browser.do(lambda live: live.page("webnn").content.evaluate(f"() => {{ {says} }}"))
    found = evidence(WebNnBackend(own_browser), "webnn:gpu")
    assert (found.available, found.software) == (True, False)
    told = prepare(WebNnBackend(own_browser), torch.nn.Linear(4, 4), inputs, "webnn:gpu").describe()
    assert (told.device, told.software) == ("GPU", False)
    assert told.notes[0] == "the graph in 1 part"


def test_an_imitated_gpu_counts_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = evidence(WebGpuBackend())
    if not found.software:
        pytest.skip("there is a real GPU here")
    assert not found.available
    assert SOFTWARE_ADAPTERS in found.remedy
    target = parse_target("webgpu")
    assert target is not None
    with pytest.raises(BackendAbsentError, match=r"which is software \(RPGEN_SOFTWARE_ADAPTERS=1"):
        require(target, Preferences())
    monkeypatch.setenv(SOFTWARE_ADAPTERS, "1")
    require(target, Preferences())
    found = evidence(WebGpuBackend())
    assert found.available
    assert found.software
    assert "software" in found.reason


def test_a_model_that_is_none_is_refused_by_each(tmp_path: Path) -> None:
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(b"\x08\x09not a model")
    for provider in (WASM, Provider("webgpu", {"name": "webgpu"})):
        with pytest.raises(BackendError):
            PageSession(shared_browser(), provider, torn)
    with pytest.raises(BackendError):
        PageSession(shared_browser(), WASM, graph(tmp_path, TensorProto.FLOAT, "NoSuchOperation"))


def test_a_provider_that_there_is_not_is_refused(tmp_path: Path) -> None:
    model = graph(tmp_path, TensorProto.FLOAT)
    with pytest.raises(BackendError):
        PageSession(shared_browser(), Provider("cuda", {"name": "cuda"}), model)


# ---------------------------------------------------------------- what dies and what it costs


def test_a_browser_killed_in_the_middle_of_a_run_costs_that_run(
    own_browser: SharedBrowser,
) -> None:
    bert = tiny("bert")
    inputs = example(bert)
    prepared = prepare(WasmBackend(own_browser), bert, inputs)
    for process in own_browser.processes[1:]:
        os.kill(process, signal.SIGSTOP)  # so that the run is under way when it dies
    killer = threading.Timer(0.3, own_browser.kill)
    killer.start()
    with pytest.raises(BackendError, match="the browser"):
        prepared.run(inputs)
    killer.join()
    with torch.inference_mode():
        expected = bert(**inputs).logits
    assert relative_difference(prepared.run(inputs)["outputs.logits"], expected) < SAME
    assert prepared.describe().runs == 1


def test_a_browser_killed_while_it_generates_costs_that_text_and_not_the_cache() -> None:
    gpt2 = Checkpoint("gpt2", "AutoModelForCausalLM", "gpt2", "tiny")
    ids = torch.tensor([[5, 17, 33]])
    options = {"max_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
    pool = ResourcePool()
    with pool.lease("text_generation", gpt2.name, gpt2.load_model, {"device": "wasm"}) as model:
        expected = model.generate(ids, **options)
        browser = shared_browser()
        for process in browser.processes[1:]:
            os.kill(process, signal.SIGSTOP)
        killer = threading.Timer(0.3, browser.kill)
        killer.start()
        with pytest.raises(LostError, match="the browser"):
            model.generate(ids, **options)
        killer.join()
        assert torch.equal(model.generate(ids, **options), expected)
        told = model.rpgen_backend.figures()
        assert told["cache"] == "generation with the cache of the exported decoder"
    pool.clear()


def test_a_browser_killed_between_two_runs_costs_nothing(
    own_browser: SharedBrowser, tmp_path: Path
) -> None:
    session = PageSession(own_browser, WASM, graph(tmp_path, TensorProto.FLOAT, "Neg"))
    given = {"x": np.arange(3, dtype=np.float32)}
    assert session.run(given)["y"].tolist() == [0, -1, -2]
    killed = own_browser.processes
    own_browser.kill()
    assert gone(killed[1:])
    assert session.run(given)["y"].tolist() == [0, -1, -2]
    session.release()


def test_a_failed_run_costs_no_other_session(tmp_path: Path) -> None:
    browser = shared_browser()
    one = PageSession(browser, WASM, graph(tmp_path, TensorProto.FLOAT, "Neg"))
    two = PageSession(browser, WASM, graph(tmp_path, TensorProto.INT64, "Abs"))
    with pytest.raises(BackendError):
        one.run({"x": np.zeros((2, 2), np.int64)})
    assert two.run({"x": np.array([-3, 4])})["y"].tolist() == [3, 4]
    assert one.run({"x": np.ones(1, np.float32)})["y"].tolist() == [-1]
    one.release()
    two.release()


def test_a_page_that_held_much_closes_with_its_last_session(
    own_browser: SharedBrowser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = graph(tmp_path, TensorProto.FLOAT, "Neg")
    one, two = (PageSession(own_browser, WASM, model) for _ in range(2))
    one.release()
    two.release()
    assert own_browser.do(lambda live: list(live.pages)) == ["wasm"]
    monkeypatch.setattr("rpgen.backends.web.session.MOST_BYTES_KEPT", 0)
    one, two = (PageSession(own_browser, WASM, model) for _ in range(2))
    one.release()
    assert own_browser.do(lambda live: list(live.pages)) == ["wasm"]
    two.release()
    two.release()
    assert own_browser.do(lambda live: list(live.pages)) == []


# ---------------------------------------------------------------- what goes in comes out


TYPES = {
    TensorProto.FLOAT: np.array([0.1, -np.inf, np.nan], np.float32),
    TensorProto.DOUBLE: np.array([0.1, 1e300], np.float64),
    TensorProto.FLOAT16: np.array([0.1, 6e4], np.float16),
    TensorProto.INT64: np.array([-(2**63), 2**63 - 1, 2**53 + 1], np.int64),
    TensorProto.INT32: np.array([-(2**31), 7], np.int32),
    TensorProto.UINT8: np.array([0, 255], np.uint8),
    TensorProto.BOOL: np.array([True, False, True]),
}


@functools.cache
def _names() -> dict[int, str]:
    return {number: name for name, number in TensorProto.DataType.items()}


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: _names()[kind])
def test_numbers_arrive_bit_by_bit(kind: int, tmp_path: Path) -> None:
    session = PageSession(shared_browser(), WASM, graph(tmp_path, kind))
    given = TYPES[kind]
    found = session.run({"x": given})["y"]
    assert found.dtype == given.dtype
    assert found.tobytes() == given.tobytes()
    session.release()


def test_a_model_of_more_than_a_page_takes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpgen.backends.web.backend.MOST_MODEL_BYTES", 1000)
    with pytest.raises(BackendError, match="a page takes no more than 2 GB"):
        prepare(WasmBackend(), tiny("bert"), example(tiny("bert")))


# ---------------------------------------------------------------- what WebNN's builder lacks


class Loss(torch.nn.Module):
    """A loss has a LogSoftmax and picks the probability of the label from each row."""

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        flat = logits.reshape(-1, logits.shape[-1])
        return torch.nn.functional.cross_entropy(flat, labels.reshape(-1))


def test_webnn_computes_a_loss_written_out() -> None:
    logits = 90 * torch.linspace(-9, 9, 2 * 5 * 11).sin().reshape(2, 5, 11)
    labels = torch.tensor([[1, 10, -100, 3, 0], [4, -100, 6, 7, 8]])
    inputs = {"logits": logits, "labels": labels}
    loss = Loss()
    prepared = prepare(WebNnBackend(), loss, inputs)
    found = next(iter(prepared.run(inputs).values()))
    prepared.release()
    assert found.item() == pytest.approx(loss(**inputs).item(), rel=1e-5)
    assert set(prepared.describe().nodes) == {"WebNN"}


def test_a_model_that_lacks_nothing_is_left_alone(tmp_path: Path) -> None:
    assert for_webnn(graph(tmp_path, TensorProto.FLOAT, "Neg"), {}) is None
