"""What is said beforehand of tests that ask for a backend: the same as what `run` does."""

import pytest

from rpgen.hardware.probes.in_browser import WASM, as_fact
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
)
from rpgen.placement.reach import why_skipped
from rpgen.placement.targets import parse_target

BROWSER = BackendReport(Backend.WEBNN, State.AVAILABLE)
MACHINE = HardwareSnapshot(
    HostIdentity("here", "Linux", "x86_64"),
    {
        Backend.OPENVINO: BackendReport(
            Backend.OPENVINO, State.AVAILABLE, facts={"devices": ["CPU", "GPU.0"]}
        ),
        Backend.ONNXRUNTIME: BackendReport(
            Backend.ONNXRUNTIME, State.AVAILABLE, facts={"providers": ["CPUExecutionProvider"]}
        ),
        Backend.WEBGPU: BackendReport(
            Backend.WEBGPU, State.SOFTWARE, reason="it is software", remedy="get a GPU"
        ),
        Backend.WEBNN: BackendReport(
            Backend.WEBNN, State.SOFTWARE, reason="the processor", facts={WASM: as_fact(BROWSER)}
        ),
        Backend.CUDA: BackendReport(
            Backend.CUDA, State.AVAILABLE, devices=(Device(Backend.CUDA, 0, "GPU", "cuda:0"),)
        ),
    },
    4,
    32_000.0,
)
BARE = HardwareSnapshot(MACHINE.host, {}, 4, 32_000.0)


@pytest.mark.parametrize(
    ("name", "environment", "said"),
    [
        ("wasm", {}, None),
        ("webnn", {}, None),
        ("webnn:cpu", {}, None),
        ("webnn:gpu", {}, "the processor"),
        ("webgpu", {}, "it is software (get a GPU)"),
        ("webgpu", {"RPGEN_SOFTWARE_ADAPTERS": "0"}, "it is software (get a GPU)"),
        ("webgpu", {"RPGEN_SOFTWARE_ADAPTERS": "1"}, None),
        ("openvino", {}, None),
        ("openvino:GPU", {}, None),
        ("openvino:GPU.1", {}, "OpenVINO lists no GPU.1, it lists CPU, GPU.0"),
        ("openvino:NPU+compile", {}, "OpenVINO lists no NPU, it lists CPU, GPU.0"),
        ("openvino:HETERO:NPU,CPU", {}, "OpenVINO lists no NPU, it lists CPU, GPU.0"),
        ("openvino:MULTI:GPU,CPU", {}, None),
        ("openvino:AUTO", {}, None),
        ("onnxruntime", {}, None),
        (
            "onnxruntime:CUDAExecutionProvider",
            {},
            "ONNX Runtime has no CUDAExecutionProvider, it has CPUExecutionProvider",
        ),
        ("cuda+compile", {}, None),
        ("cuda:0+compile", {}, None),
        ("cuda:1+compile", {}, "1 of its kind here"),
    ],
)
def test_why_tests_are_skipped(name: str, environment: dict[str, str], said: str | None) -> None:
    target = parse_target(name)
    assert target is not None
    assert why_skipped(target, MACHINE, environment) == said


@pytest.mark.parametrize("name", ["wasm", "webnn", "webgpu", "openvino", "onnxruntime", "qualcomm"])
def test_what_was_not_found_is_skipped_with_a_reason(name: str) -> None:
    target = parse_target(name)
    assert target is not None
    assert why_skipped(target, BARE, {"RPGEN_SOFTWARE_ADAPTERS": "1"})
