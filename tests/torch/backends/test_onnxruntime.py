import pytest

from rpgen.backends.onnxruntime import precision_of
from tests.torch.backends.contract import BackendContract


class TestOnnxRuntime(BackendContract):
    target = "onnxruntime"
    holds = "_session"


class TestOnnxRuntimeOnCuda(BackendContract):
    target = "onnxruntime:CUDAExecutionProvider"
    installed = False
    holds = "_session"


@pytest.mark.parametrize(
    ("provider", "precision"),
    [
        ("CPUExecutionProvider", "f32"),
        ("CUDAExecutionProvider", "f32, as it was told"),
        ("QNNExecutionProvider", "f32, as it was told"),
        ("DmlExecutionProvider", "not known"),
    ],
)
def test_f32_is_said_as_far_as_it_is_known(provider: str, precision: str) -> None:
    assert precision_of(provider) == precision
