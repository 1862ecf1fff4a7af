"""Simulated machines as data."""

from collections.abc import Callable

import pytest

from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
)

Machine = Callable[..., HardwareSnapshot]


def gpu(
    index: int,
    total_mb: float,
    backend: Backend = Backend.CUDA,
    dtypes: tuple[str, ...] = ("fp32", "fp16", "bf16"),
) -> Device:
    kind = "cuda" if backend is Backend.ROCM else str(backend)
    return Device(backend, index, f"GPU {index}", f"{kind}:{index}", total_mb, dtypes=dtypes)


def machine(
    *devices: Device,
    memory_mb: float = 32_000,
    limit_mb: float | None = None,
    cpu_dtypes: tuple[str, ...] = ("fp32",),
    others: tuple[BackendReport, ...] = (),
) -> HardwareSnapshot:
    cpu = Device(Backend.CPU, 0, "CPU", "cpu", limit_mb or memory_mb, dtypes=cpu_dtypes)
    reports = {Backend.CPU: BackendReport(Backend.CPU, State.AVAILABLE, devices=(cpu,))}
    for device in devices:
        had = reports.get(device.backend)
        mine = (*(had.devices if had else ()), device)
        reports[device.backend] = BackendReport(device.backend, State.AVAILABLE, devices=mine)
    reports |= {report.backend: report for report in others}
    return HardwareSnapshot(
        HostIdentity("box", "Linux", "x86_64"), reports, 8, memory_mb, memory_limit_mb=limit_mb
    )


def apple(memory_mb: float = 16_000) -> Device:
    return Device(
        Backend.MPS, 0, "Apple M2", "mps", memory_mb, unified=True, dtypes=("fp32", "fp16", "bf16")
    )


OPENVINO = BackendReport(
    Backend.OPENVINO,
    State.AVAILABLE,
    devices=(Device(Backend.OPENVINO, 0, "CPU (OpenVINO)"),),
)


@pytest.fixture
def machines() -> dict[str, HardwareSnapshot]:
    return {
        "no accelerator": machine(),
        "one 8 GB GPU": machine(gpu(0, 8_000)),
        "two unequal GPUs": machine(gpu(0, 8_000), gpu(1, 24_000)),
        "eight 80 GB GPUs": machine(*(gpu(i, 80_000) for i in range(8)), memory_mb=1_000_000),
        "Apple silicon": machine(apple(), memory_mb=16_000),
        "ROCm": machine(gpu(0, 16_000, Backend.ROCM)),
        "2 GB container": machine(memory_mb=64_000, limit_mb=2_000),
        "OpenVINO only": machine(others=(OPENVINO,)),
        "bf16 processor": machine(cpu_dtypes=("fp32", "bf16")),
        "an old GPU": machine(gpu(0, 8_000, dtypes=("fp32",))),
    }
