"""One probe per backend: from what the machine shows to a report with its evidence."""

from collections.abc import Callable

from rpgen.hardware.probes import (
    cpu,
    cuda,
    mps,
    onnxruntime,
    openvino,
    qualcomm,
    rocm,
    tpu,
    webgpu,
    webnn,
    xpu,
)
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport

Probe = Callable[[Surroundings], BackendReport]

PROBES: dict[Backend, Probe] = {
    Backend.CUDA: cuda.probe,
    Backend.ROCM: rocm.probe,
    Backend.XPU: xpu.probe,
    Backend.MPS: mps.probe,
    Backend.TPU: tpu.probe,
    Backend.QUALCOMM: qualcomm.probe,
    Backend.OPENVINO: openvino.probe,
    Backend.ONNXRUNTIME: onnxruntime.probe,
    Backend.WEBGPU: webgpu.probe,
    Backend.WEBNN: webnn.probe,
    Backend.CPU: cpu.probe,
}
"""In order of preference: what is faster for a model comes first, the processor last."""
