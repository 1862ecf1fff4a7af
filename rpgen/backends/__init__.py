"""Whatever runs a model, behind one interface: torch, OpenVINO, ONNX Runtime, a browser."""

import importlib
from typing import Any

from rpgen.backends.base import Backend, Facility, Target

REGISTRY = {
    "torch": "rpgen.backends.on_torch:TorchBackend",
    "openvino": "rpgen.backends.openvino:OpenVinoBackend",
    "onnxruntime": "rpgen.backends.onnxruntime:OnnxRuntimeBackend",
    "wasm": "rpgen.backends.web.backend:WasmBackend",
    "webgpu": "rpgen.backends.web.backend:WebGpuBackend",
    "webnn": "rpgen.backends.web.backend:WebNnBackend",
}
"""Name to module and class, imported when it is asked for."""


FACILITIES = {
    "wasm": "rpgen.backends.web.browser:running_browser",
    "webgpu": "rpgen.backends.web.browser:running_browser",
    "webnn": "rpgen.backends.web.browser:running_browser",
}
"""Those that share something among their models, and what gives it."""


def backend_of(target: Target) -> Backend:
    """The backend that serves a target."""
    place = REGISTRY[target.backend if target.backend in REGISTRY else "torch"]
    made: Backend = _imported(place)()
    return made


def facility_of(target: Target) -> Facility | None:
    """What the backend of a target shares among its models; None where it shares nothing, or
    nothing of it runs yet."""
    place = FACILITIES.get(target.backend)
    found: Facility | None = _imported(place)() if place else None
    return found


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
