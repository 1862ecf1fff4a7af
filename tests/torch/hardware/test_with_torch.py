"""With the torch that is installed: it is read rightly, and `--deep` proves this machine."""

import sys

import torch

from rpgen.backends import proof
from rpgen.hardware import kernels
from rpgen.hardware.detector import detect
from rpgen.hardware.memory import device_free_mb
from rpgen.hardware.packages import torch_build
from rpgen.hardware.types import TORCH_BACKENDS, Backend, State, Step
from rpgen.placement.targets import parse_target


def test_the_build_is_read_without_importing():
    build = torch_build(sys.path)
    assert build is not None
    assert build.version == torch.__version__
    assert (build.cuda, build.hip) == (torch.version.cuda, torch.version.hip)


def test_the_product_is_right_on_the_cpu_in_every_dtype():
    assert kernels.compute(torch, "cpu") == {"right": ["fp32", "fp16", "bf16"], "wrong": {}}


def test_a_wrong_product_is_seen(monkeypatch):
    monkeypatch.setattr(kernels, "product", lambda left, right: [[0]])
    found = kernels.compute(torch, "cpu")
    assert found["right"] == []
    assert set(found["wrong"]) == {"fp32", "fp16", "bf16"}


def test_a_device_that_is_not_there_is_wrong_in_every_dtype():
    assert kernels.compute(torch, "meta:7")["right"] == []


def test_deep_detection_proves_what_torch_can_use():
    found = detect(deep=True)
    cpu = found.report(Backend.CPU)
    assert cpu.state is State.AVAILABLE
    assert cpu.evidence[-1].step is Step.KERNEL
    assert cpu.evidence[-1].found
    cuda = found.report(Backend.ROCM if torch.version.hip else Backend.CUDA)
    assert cuda.available == torch.cuda.is_available()
    for backend in (*TORCH_BACKENDS, Backend.OPENVINO, Backend.ONNXRUNTIME):
        if found.report(backend).available:
            assert any(seen.step is Step.KERNEL for seen in found.report(backend).evidence)


def test_a_backend_that_is_not_here_says_so_and_a_wrong_product_is_seen(monkeypatch):
    target = parse_target("openvino:NPU.7")
    assert target is not None
    found = proof.proof(target)
    assert not found["ok"]
    assert "lists no NPU.7" in found["detail"]
    assert found["remedy"]
    monkeypatch.setattr(proof, "product", lambda left, right: [[0]])
    target = parse_target("onnxruntime:CPUExecutionProvider")
    assert target is not None
    found = proof.proof(target)
    assert (found["ok"], found["detail"]) == (False, "a matrix product came out wrong")


def test_free_memory_asks_only_devices_that_are_there():
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info(0)
        told = device_free_mb("cuda:0", create_context=True)
        assert told is not None
        assert abs(told - free / 2**20) < 1024
    else:
        assert device_free_mb("cuda:0", create_context=True) is None
        assert not torch.cuda.is_initialized()
