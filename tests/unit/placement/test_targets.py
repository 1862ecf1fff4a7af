import pytest

from rpgen.errors import UsageError
from rpgen.hardware.types import Backend
from rpgen.placement.preferences import Request, merged, parse
from rpgen.placement.targets import RUNTIMES, TORCH, Target, parse_target, spelled


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("cpu", Target("cpu")),
        ("cuda:1", Target("cuda", "1")),
        ("gpu", Target("cuda")),
        ("cpu+compile", Target("cpu", None, True)),
        ("openvino", Target("openvino")),
        ("openvino:GPU.1", Target("openvino", "GPU.1")),
        ("openvino:HETERO:GPU,CPU", Target("openvino", "HETERO:GPU,CPU")),
        ("openvino:GPU+compile", Target("openvino", "GPU", True)),
        (
            "onnxruntime:CUDAExecutionProvider",
            Target("onnxruntime", "CUDAExecutionProvider"),
        ),
        ("qualcomm", Target("onnxruntime", "QNNExecutionProvider")),
        ("webnn:gpu", Target("webnn", "gpu")),
        (" wasm ", Target("wasm")),
    ],
)
def test_names_and_what_they_mean(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    ["auto", "tpu", "", "CPU", "cuda:GPU", "cuda:1000", "wasm:cpu", "webgpu+compile", "openvino:",
     "onnxruntime+compile", "openvino:GPU;rm", "cpu:0:1", "open vino", "openvino:\n"],
)  # fmt: skip
def test_other_names_mean_nothing(text: str) -> None:
    assert parse_target(text) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("CPU", "cpu"),
        (" CUDA:1 ", "cuda:1"),
        ("OpenVINO:GPU", "openvino:GPU"),
        ("OnnxRuntime:CUDAExecutionProvider", "onnxruntime:CUDAExecutionProvider"),
        ("Auto", "auto"),
    ],
)
def test_a_name_is_kept_in_one_spelling(text: str, kept: str) -> None:
    assert spelled(text) == kept


@pytest.mark.parametrize("backend", [*TORCH, *RUNTIMES])
def test_a_target_is_written_as_it_is_read(backend: str) -> None:
    target = parse_target(backend)
    assert target is not None
    assert str(target) == backend
    assert target.eager_torch == (backend in TORCH)


def test_a_backend_named_as_the_device_leaves_the_model_on_the_cpu() -> None:
    found = parse({"device": "openvino:GPU", "compatible_devices": ["cuda"]})
    assert found.target == Target("openvino", "GPU")
    assert found.device == Request(Backend.CPU)
    assert found.compatible_devices is None


def test_the_environment_names_a_backend_too() -> None:
    assert merged({"device": "cuda"}, '{"device": "wasm"}').target == Target("wasm")
    assert merged({"device": "wasm"}, '{"device": "cuda"}').target is None


def test_a_device_of_torch_is_no_target_of_its_own() -> None:
    assert parse({"device": "cuda:1"}).target is None
    assert parse({"device": "auto"}).target is None


def test_backends_compute_in_fp32() -> None:
    assert parse({"device": "openvino", "precision": "fp32"}).target is not None
    with pytest.raises(UsageError, match="leave precision fp16 out"):
        parse({"device": "openvino", "precision": "fp16"})


def test_a_name_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="is no device; say one of"):
        parse({"device": "openvno"})
