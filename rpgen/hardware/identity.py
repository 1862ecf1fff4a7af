"""What tells one machine in one condition from another, cheap enough for every command.

A cached snapshot holds as long as this stays equal: the same host, drivers, device nodes,
library versions and visible devices. Memory and its limits are not part of it: they are read
anew each time.
"""

import os
import platform
from pathlib import Path

from rpgen.hardware.browsers import browser_stamp
from rpgen.hardware.packages import installed_versions, torch_build
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import HostIdentity

HOST_NAME_VARIABLE = "RPGEN_HOST_NAME"
"""Names this host in the inventory; without it the network name is taken."""

_PACKAGES = (
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-rocm",
    "onnxruntime-openvino",
    "onnxruntime-directml",
    "onnxruntime-qnn",
    "torch_xla",
    "libtpu",
    "playwright",
)
_SELECTIONS = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
    "ZE_AFFINITY_MASK",
    "ONEAPI_DEVICE_SELECTOR",
    "TPU_VISIBLE_CHIPS",
    "TPU_ACCELERATOR_TYPE",
)
_PLACES = ("ROCM_HOME", "ROCM_PATH", "QNN_SDK", "QNN_SDK_ROOT", "PLAYWRIGHT_BROWSERS_PATH")
_NODES = (
    ("dev", "nvidia"),
    ("dev", "kfd"),
    ("dev", "accel"),
    ("dev", "fastrpc"),
    ("dev", "adsprpc"),
    ("dev", "kgsl-3d"),
    ("dev/dri", "renderD"),
    ("dev", "dxg"),
)


def host_identity(here: Surroundings | None = None) -> HostIdentity:
    """This machine's identity, from a few dozen small reads and no program started."""
    here = here or Surroundings()
    return HostIdentity(
        name=here.env.get(HOST_NAME_VARIABLE) or platform.node() or "localhost",
        system=here.system,
        machine=here.machine,
        drivers=_drivers(here),
        libraries=_libraries(here),
        visible_devices=_visible_devices(here),
    )


def _drivers(here: Surroundings) -> dict[str, str]:
    found = {
        "nvidia": here.text("sys/module/nvidia/version") or _file_stamp(here, "nvidia-smi"),
        "amdgpu": here.text("sys/module/amdgpu/version"),
        "rocm": here.text(f"{_rocm_home(here)}/.info/version"),
        "macos": platform.mac_ver()[0] if here.system == "Darwin" else None,
        "nodes": ",".join(name for folder, start in _NODES for name in here.names(folder, start)),
        "browser": browser_stamp(here),
    }
    return {name: value for name, value in found.items() if value}


def _rocm_home(here: Surroundings) -> str:
    return here.env.get("ROCM_HOME") or here.env.get("ROCM_PATH") or "/opt/rocm"


def _file_stamp(here: Surroundings, program: str) -> str | None:
    """Where no kernel module tells its version (Windows, WSL): when the program last changed."""
    path = here.which(program)
    try:
        return f"{program} of {int(Path(path).stat().st_mtime)}" if path else None
    except OSError:
        return None


def _libraries(here: Surroundings) -> dict[str, str]:
    torch = torch_build(here.search_path)
    own = {"torch": f"{torch.version} for {torch.kind}"} if torch else {}
    return own | dict(sorted(installed_versions(_PACKAGES, here.search_path).items()))


def _visible_devices(here: Surroundings) -> dict[str, str]:
    """The variables that select devices, and how many processors this process may use.

    Of variables that name a place only the fact is kept, not the place.
    """
    selected = {name: here.env[name] for name in _SELECTIONS if name in here.env}
    placed = {name: "set" for name in _PLACES if here.env.get(name)}
    return selected | placed | {"cpus": str(usable_cpus())}


def usable_cpus() -> int:
    """The processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
