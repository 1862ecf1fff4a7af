"""NVIDIA's management library, asked directly: for containers that have it without nvidia-smi.

Only the functions that every driver since 2014 has. Asking makes no CUDA context.
"""

import ctypes
from typing import Any

from rpgen.hardware.probes.nvidia_smi import NvidiaGpu

MB = 2**20
LIBRARY_NAMES = ("libnvidia-ml.so.1", "nvml.dll")


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class NvmlError(Exception):
    """The library answered a call with an error; the message names the call."""


def gpus(library: Any) -> tuple[NvidiaGpu, ...]:
    """What the library knows of each GPU; NvmlError where the driver doesn't answer."""
    _call(library, "nvmlInit_v2")
    try:
        count = ctypes.c_uint()
        _call(library, "nvmlDeviceGetCount_v2", ctypes.byref(count))
        driver = _text(library, "nvmlSystemGetDriverVersion")
        return tuple(_gpu(library, index, driver) for index in range(count.value))
    finally:
        library.nvmlShutdown()


def _gpu(library: Any, index: int, driver: str) -> NvidiaGpu:
    handle = ctypes.c_void_p()
    _call(library, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
    memory = _Memory()
    _call(library, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call(
        library,
        "nvmlDeviceGetCudaComputeCapability",
        handle,
        ctypes.byref(major),
        ctypes.byref(minor),
    )
    return NvidiaGpu(
        index=index,
        name=_text(library, "nvmlDeviceGetName", handle),
        total_mb=memory.total / MB,
        driver=driver,
        capability=(major.value, minor.value),
        uuid=_text(library, "nvmlDeviceGetUUID", handle),
    )


def _text(library: Any, name: str, *arguments: Any) -> str:
    buffer = ctypes.create_string_buffer(96)
    _call(library, name, *arguments, buffer, ctypes.c_uint(96))
    return buffer.value.decode(errors="replace")


def _call(library: Any, name: str, *arguments: Any) -> None:
    status = getattr(library, name)(*arguments)
    if status:
        raise NvmlError(f"{name} answered with error {status}")
