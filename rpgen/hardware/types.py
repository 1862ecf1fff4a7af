"""What is known of a machine, as values: backends, devices, evidence, snapshots.

A fact that could not be read is `None`, and a reason stands beside it. Sizes are in MB
(2**20 bytes) where a name ends in `_mb`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Backend(StrEnum):
    """Whatever may run a model. The names equal, and print as, the strings that people write."""

    __repr__ = str.__repr__  # scripts put str() of a dictionary of these into the environment

    CPU = "cpu"
    CUDA = "cuda"
    ROCM = "rocm"
    MPS = "mps"
    XPU = "xpu"
    TPU = "tpu"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    WEBNN = "webnn"
    WEBGPU = "webgpu"
    QUALCOMM = "qualcomm"


TORCH_BACKENDS = (Backend.CUDA, Backend.ROCM, Backend.XPU, Backend.MPS, Backend.CPU)
"""The backends that torch itself computes on, in the default order of preference."""


class State(StrEnum):
    """How far a backend got."""

    AVAILABLE = "available"  # library and device are there, and nothing speaks against using it
    UNUSABLE = "unusable"  # something is present (a GPU, say) that can't be used as things stand
    SOFTWARE = "software"  # works, but a processor imitates the device; never chosen unasked
    ABSENT = "absent"


class Step(StrEnum):
    """The ladder of evidence for a backend, lowest rung first."""

    LIBRARY = "library"  # the package or driver is installed
    DEVICE = "device"  # a device of this kind is there
    USABLE = "usable"  # the installed torch (or runtime) is built for it
    KERNEL = "kernel"  # a kernel ran there and its result was right (`detect --deep`)


@dataclass(frozen=True)
class Evidence:
    """One observation. `found` is None where it was not looked for, `detail` says why."""

    step: Step
    found: bool | None
    detail: str


@dataclass(frozen=True)
class Device:
    """One device of a backend.

    `torch_device` is the string that torch takes ("cuda:0"; ROCm devices are "cuda:N" to
    torch too), None where torch doesn't compute there. `total_mb` is the device's own memory,
    or the host's where `unified` says that both share one memory.
    """

    backend: Backend
    index: int
    name: str
    torch_device: str | None = None
    total_mb: float | None = None
    unified: bool = False
    capability: tuple[int, int] | None = None  # compute capability of an NVIDIA device
    dtypes: tuple[str, ...] = ("fp32",)  # what it computes in natively: fp32, fp16, bf16
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_tensor_cores(self) -> bool:
        """NVIDIA's matrix units, from compute capability 7.0 on."""
        return self.capability is not None and self.capability >= (7, 0)


@dataclass(frozen=True)
class BackendReport:
    """One backend on one machine: what was found, what was proven, and what is missing.

    `reason` says why it is not available, `remedy` what to install or do; both are "" where
    it is available. `facts` are JSON values: versions, providers, instruction sets.
    """

    backend: Backend
    state: State
    evidence: tuple[Evidence, ...] = ()
    devices: tuple[Device, ...] = ()
    reason: str = ""
    remedy: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def available(self) -> bool:
        return self.state is State.AVAILABLE


@dataclass(frozen=True)
class HostIdentity:
    """What a cached snapshot is valid for. Two equal identities have the same hardware."""

    name: str
    system: str  # "Linux", "Darwin", "Windows"
    machine: str  # "x86_64", "arm64"
    drivers: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    visible_devices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HardwareSnapshot:
    """One machine at one time. Free memory is never in here: it is asked for when needed.

    `memory_limit_mb` is the smallest cgroup limit over this process, None without one.
    """

    host: HostIdentity
    backends: Mapping[Backend, BackendReport]
    cpu_count: int
    memory_total_mb: float
    memory_limit_mb: float | None = None
    os_version: str = ""
    python_version: str = ""

    def report(self, backend: Backend) -> BackendReport:
        """The report on one backend; absent with a reason where it was not probed."""
        found = self.backends.get(backend)
        return found or BackendReport(backend, State.ABSENT, reason="it was not looked for")

    def devices(self, backend: Backend) -> tuple[Device, ...]:
        """The devices of a backend that can be used: none unless it is available."""
        report = self.report(backend)
        return report.devices if report.available else ()
