"""Whatever runs a model, behind one interface: torch, OpenVINO, ONNX Runtime, a browser."""

import importlib

from rpgen.backends.base import Backend, Target

REGISTRY = {
    "torch": "rpgen.backends.on_torch:TorchBackend",
    "openvino": "rpgen.backends.openvino:OpenVinoBackend",
    "onnxruntime": "rpgen.backends.onnxruntime:OnnxRuntimeBackend",
    "wasm": "rpgen.backends.web.backend:WasmBackend",
    "webgpu": "rpgen.backends.web.backend:WebGpuBackend",
    "webnn": "rpgen.backends.web.backend:WebNnBackend",
}
"""Name to module and class, imported when it is asked for."""


def backend_of(target: Target) -> Backend:
    """The backend that serves a target."""
    place = REGISTRY[target.backend if target.backend in REGISTRY else "torch"]
    module, _, name = place.partition(":")
    made: Backend = getattr(importlib.import_module(module), name)()
    return made
