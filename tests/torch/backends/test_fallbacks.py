"""Each backend is made to fall back silently, and that is an error."""

from collections import Counter
from typing import Any

import pytest
import torch

from rpgen.backends import backend_of
from rpgen.backends.base import (
    BackendError,
    FallbackError,
    ModelIdentity,
    Prepared,
    parse_target,
)
from rpgen.backends.call import flat_call
from rpgen.backends.onnxruntime import must_compute, operators_of


class Small(torch.nn.Module):
    """A product of matrices, a convolution, and something of no weight between them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.filter = torch.nn.Linear(8, 8), torch.nn.Conv1d(3, 3, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.filter(self.layer(x).tanh())}


SMALL = Small().eval()
X = {"x": torch.linspace(-1.0, 1.0, 48).reshape(2, 3, 8)}


def prepare(target: str) -> Prepared:
    found = parse_target(target)
    assert found is not None
    identity = ModelIdentity("small", weights="tiny")
    return backend_of(found).prepare(flat_call(SMALL, X), X, found, identity)


def test_onnxruntime_takes_the_cpu_for_a_provider_that_it_lacks() -> None:
    """What it does by itself: a warning, and a session that computes elsewhere."""
    with pytest.raises(
        BackendError,
        match="CUDAExecutionProvider was asked for, ONNX Runtime took CPUExecutionProvider",
    ):
        prepare("onnxruntime:CUDAExecutionProvider")


def test_a_provider_that_gets_no_node_computes_nothing() -> None:
    with pytest.raises(FallbackError, match="computes nothing: 2 nodes on Other"):
        must_compute("CUDAExecutionProvider", {"Other": Counter({"Shape": 2})})


def test_a_session_of_the_processor_is_none_of_another_provider() -> None:
    """What this version of ONNX Runtime tells of its own session."""
    session = prepare("onnxruntime")._session  # type: ignore[attr-defined]
    found = operators_of(session)
    assert found is not None
    assert found["CPU"]["Conv"] == 1
    with pytest.raises(FallbackError, match=r"computes nothing: \d+ nodes on CPU"):
        must_compute("CUDAExecutionProvider", found)


def test_a_provider_computes_what_has_weight_and_may_leave_sizes() -> None:
    cuda, cpu = Counter({"MatMul": 2, "Add": 3}), Counter({"Shape": 1, "Gather": 1})
    found = {"CUDA": cuda, "CPU": cpu}
    assert must_compute("CUDAExecutionProvider", found) == {"CUDA": 5, "CPU": 2}
    cpu.update(["Conv", "MatMul"])
    with pytest.raises(FallbackError, match="but Conv, MatMul of this model would fall back: 4"):
        must_compute("CUDAExecutionProvider", found)


@pytest.mark.parametrize("told", [None, {}])
def test_a_provider_of_which_nothing_is_told_is_not_believed(told: Any) -> None:
    with pytest.raises(FallbackError, match="can't tell what it computes"):
        must_compute("CUDAExecutionProvider", told)
    assert must_compute("CPUExecutionProvider", told) == {}


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


def test_openvinos_compiler_leaves_what_has_weight_to_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It partitions the graph by a list of what it knows, and the numbers are right."""
    import openvino.torch  # noqa: F401
    from openvino.frontend.pytorch.torchdynamo import op_support

    plain = op_support.OperatorSupport.is_node_supported

    def knows(self: Any, modules: Any, node: Any) -> bool:
        return "convolution" not in str(node.target) and plain(self, modules, node)

    monkeypatch.setattr(op_support.OperatorSupport, "is_node_supported", knows)
    with pytest.raises(FallbackError, match="but convolution of this model would fall back to"):
        prepare("openvino+compile")


def test_torch_compile_runs_eagerly() -> None:
    prepared = prepare("cpu+compile")
    try:
        with (
            torch.compiler.set_stance("force_eager"),
            pytest.raises(BackendError, match="fell back to eager torch: nothing compiled was"),
        ):
            prepared.run(X)
    finally:
        prepared.release()
