"""What a device name can mean: a device of torch, or a backend that runs models itself.

cpu, cuda:1, mps            torch, eager
cpu+compile, cuda+compile   torch.compile with its own compiler
openvino, openvino:GPU      OpenVINO on its device (CPU without one)
openvino+compile            torch.compile with OpenVINO as the compiler
onnxruntime:CUDAExecutionProvider, webgpu, webnn, wasm
qualcomm                    ONNX Runtime with Qualcomm's provider
"""

import re
from dataclasses import dataclass

from rpgen.hardware.types import Backend

TORCH = ("cpu", "cuda", "rocm", "mps", "xpu")
RUNTIMES = ("openvino", "onnxruntime", "webgpu", "webnn", "wasm")
COMPILE = "+compile"
_OTHER_NAMES = {
    "gpu": "cuda",
    "hip": "rocm",
    "qualcomm": "onnxruntime:QNNExecutionProvider",
}
_TARGET = re.compile(r"([a-z]+)(?::([A-Za-z0-9][\w.,:-]{0,80}))?(\+compile)?")
_COMPILED = (*TORCH, "openvino")
_WITHOUT_DEVICES = ("wasm", "webgpu")


@dataclass(frozen=True)
class Target:
    """A backend and, where it matters, which of its devices; `compiled` is torch.compile."""

    backend: str
    device: str | None = None
    compiled: bool = False

    def __str__(self) -> str:
        named = self.backend if self.device is None else f"{self.backend}:{self.device}"
        return named + COMPILE * self.compiled

    @property
    def kind(self) -> Backend | None:
        """What detection calls it; None for what it doesn't tell apart (wasm)."""
        return Backend(self.backend) if self.backend in list(Backend) else None

    @property
    def eager_torch(self) -> bool:
        """Whether torch itself computes there, step by step: nothing is to be prepared."""
        return self.backend in TORCH and not self.compiled


def split_names(text: str) -> tuple[str, ...]:
    """The devices of a list: commas stand between them, and inside of OpenVINO's lists.

    >>> split_names("cpu,openvino:HETERO:GPU,CPU,wasm")
    ('cpu', 'openvino:HETERO:GPU,CPU', 'wasm')
    """
    names: list[str] = []
    for piece in text.split(","):
        if names and piece[:1].isupper() and ":" in names[-1]:
            names[-1] = f"{names[-1]},{piece}"
        else:
            names.append(piece.strip())
    return tuple(dict.fromkeys(names))


def spelled(name: str) -> str:
    """A device's name as it is kept: `CPU` is cpu, and what follows a colon stays.

    >>> spelled("CUDA:1"), spelled("OpenVINO:GPU")
    ('cuda:1', 'openvino:GPU')
    """
    backend, colon, device = name.strip().partition(":")
    return f"{backend.lower()}{colon}{device}"


def backend_named(text: str | None) -> Target | None:
    """The backend that is to compute in torch's place; None where torch itself does."""
    target = parse_target(text or "")
    return None if target is None or target.eager_torch else target


def parse_target(text: str) -> Target | None:
    """The target that a name means, None where it means none (`auto`, `tpu`, a typing error)."""
    plain = text.strip()
    match = _TARGET.fullmatch(_OTHER_NAMES.get(plain, plain))
    if match is None:
        return None
    backend = _OTHER_NAMES.get(match[1], match[1])
    device, compiled = match[2], match[3] is not None
    known = backend in TORCH or backend in RUNTIMES
    numbered = backend not in TORCH or device is None or (device.isdigit() and len(device) < 4)
    fits = numbered and not (device and backend in _WITHOUT_DEVICES)
    if not (known and fits) or (compiled and backend not in _COMPILED):
        return None
    return Target(backend, device, compiled)
