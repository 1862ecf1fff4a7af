"""Each backend is made to fall back silently, and that is an error."""

from typing import Any

import pytest
import torch

from rpgen.backends import backend_of
from rpgen.backends.base import BackendError, ModelIdentity, Prepared, parse_target
from rpgen.backends.call import flat_call
from tests.torch.backends.contract import example, tiny


def prepare(target: str) -> Prepared:
    found = parse_target(target)
    assert found is not None
    bert = tiny("bert")
    inputs = example(bert)
    identity = ModelIdentity("bert", weights="tiny")
    return backend_of(found).prepare(flat_call(bert, inputs), inputs, found, identity)


def test_onnxruntime_takes_the_cpu_for_a_provider_that_it_lacks() -> None:
    """What it does by itself: a warning, and a session that computes elsewhere."""
    with pytest.raises(
        BackendError,
        match="CUDAExecutionProvider was asked for, ONNX Runtime took CPUExecutionProvider",
    ):
        prepare("onnxruntime:CUDAExecutionProvider")


def test_a_provider_that_gets_no_node_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from rpgen.backends import onnxruntime

    monkeypatch.setattr(onnxruntime, "_nodes", lambda session: {"Other": 154})
    with pytest.raises(BackendError, match="computes nothing: 154 nodes on Other"):
        prepare("onnxruntime")


def test_openvino_executes_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from rpgen.backends import openvino

    real = openvino.core()

    class Elsewhere:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def compile_model(self, model: Any, device: str, options: Any) -> Any:
            return real.compile_model(model, "CPU", options)

    monkeypatch.setattr(openvino, "core", Elsewhere)
    with pytest.raises(BackendError, match="was asked for GPU, and CPU executes the model"):
        prepare("openvino:GPU")


def test_openvino_without_that_device_is_an_error() -> None:
    with pytest.raises(BackendError, match="OpenVINO, GPU: "):
        prepare("openvino:GPU")


def test_openvino_computes_in_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does by itself on a processor with bf16 units."""
    from rpgen.backends import openvino

    monkeypatch.setattr(openvino, "precisions_of", lambda compiled: ["f32", "bf16"])
    with pytest.raises(BackendError, match="f32 was asked for, and it computes in bf16"):
        prepare("openvino")


def test_openvinos_compiler_goes_back_to_torch() -> None:
    """A device that isn't there: it executes the graph with torch, and the numbers are right."""
    with pytest.raises(BackendError, match=r"torch\.compile fell back to torch on GPU: "):
        prepare("openvino:GPU+compile")


def test_openvinos_compiler_uses_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino.torch  # noqa: F401
    from openvino.frontend.pytorch.torchdynamo import backend

    def broken(*_args: Any, **_options: Any) -> Any:
        raise RuntimeError("no partition")

    monkeypatch.setattr(backend.Partitioner, "make_partitions", broken)
    with pytest.raises(BackendError, match="can't compile this model for CPU"):
        prepare("openvino+compile")


def test_torch_compile_runs_eagerly() -> None:
    prepared = prepare("cpu+compile")
    inputs = example(tiny("bert"))
    try:
        with (
            torch.compiler.set_stance("force_eager"),
            pytest.raises(BackendError, match="fell back to eager torch: nothing compiled was"),
        ):
            prepared.run(inputs)
    finally:
        prepared.release()


def test_a_result_that_is_not_torchs_shows_in_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    from rpgen.backends.attach import attach
    from rpgen.backends.onnxruntime import _OnSession
    from rpgen.models import Checkpoint

    plain = _OnSession._compute

    def wrong(self: Any, inputs: Any) -> Any:
        return {name: each * 1.01 for name, each in plain(self, inputs).items()}

    monkeypatch.setattr(_OnSession, "_compute", wrong)
    model = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", "tiny").load_model()
    found = parse_target("onnxruntime")
    assert found is not None
    computed = attach(model, found, ModelIdentity("bert", weights="tiny"))
    model(**example(model))
    assert computed.figures()["difference"] > 1e-3
    assert computed.figures()["difference_in"] == "logits"
