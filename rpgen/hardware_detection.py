"""The guide's names for hardware detection: thin adapters over `rpgen.hardware`.

A script written for the guide moves over by prefixing its import with `rpgen.`. Inside, rpgen
uses snapshots; what comes back here are the guide's dictionaries.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpgen.hardware.types import Backend, HardwareSnapshot

if TYPE_CHECKING:
    from rpgen.families import Classification
    from rpgen.placement.outlook import ModelOutlook

_log = logging.getLogger(__name__)

CPU = Backend.CPU
CUDA = Backend.CUDA
ROCM = Backend.ROCM
MPS = Backend.MPS
XPU = Backend.XPU
TPU = Backend.TPU
OPENVINO = Backend.OPENVINO
ONNXRUNTIME = Backend.ONNXRUNTIME
WEBNN = Backend.WEBNN
WEBGPU = Backend.WEBGPU
QUALCOMM = Backend.QUALCOMM

DEFAULT_PRIORITY: tuple[Backend, ...] = (CUDA, ROCM, MPS, XPU, OPENVINO, CPU)

_MEMORY = "memory_requirements"


class HardwareDetector:
    """What this machine has, detected once when the detector is made.

    `cache_file`, or `HARDWARE_DETECTION_CACHE`, names the inventory to read and to fill.
    """

    def __init__(
        self, cache_file: str | os.PathLike[str] | None = None, force_refresh: bool = False
    ) -> None:
        from rpgen.hardware.cache import snapshot

        named = cache_file or os.environ.get("HARDWARE_DETECTION_CACHE")
        self.cache_file = Path(named) if named else None
        self.snapshot: HardwareSnapshot = snapshot(
            self.cache_file, refresh=force_refresh, warn=_log.warning
        )

    def get_available_hardware(self) -> dict[str, bool]:
        from rpgen.hardware.guide_dict import availability

        return availability(self.snapshot)

    def get_hardware_details(self) -> dict[str, dict[str, Any]]:
        from rpgen.hardware.guide_dict import details

        return details(self.snapshot)

    def get_hardware_info(self, hardware_type: str) -> dict[str, Any]:
        """The details of one backend, with `available`; empty for a name that is none."""
        found = self.get_hardware_details().get(hardware_type)
        return {} if found is None else {"available": self.is_available(hardware_type), **found}

    def get_errors(self) -> dict[str, str]:
        from rpgen.hardware.guide_dict import errors

        return errors(self.snapshot)

    def is_available(self, hardware_type: str) -> bool:
        known = list(Backend)
        return hardware_type in known and self.snapshot.report(Backend(hardware_type)).available

    def get_best_available_hardware(self) -> Backend:
        return self.get_hardware_by_priority()

    def get_torch_device(self) -> str:
        """The kind of device for torch: "cuda" (also for ROCm), "xpu", "mps" or "cpu"."""
        return self.get_torch_device_with_priority().partition(":")[0]

    def get_device_with_index(self, preferred_index: int = 0) -> str:
        return self.get_torch_device_with_priority(preferred_index=preferred_index)

    def get_hardware_by_priority(self, priority_list: Sequence[str] | None = None) -> Backend:
        """The first of the list that is available; the CPU where none is."""
        order = DEFAULT_PRIORITY if priority_list is None else priority_list
        return next((Backend(name) for name in order if self.is_available(name)), CPU)

    def get_torch_device_with_priority(
        self, priority_list: Sequence[str] | None = None, preferred_index: int = 0
    ) -> str:
        """The device for torch on the best backend, its first one where the index has none."""
        order = DEFAULT_PRIORITY if priority_list is None else priority_list
        for name in order:
            if not self.is_available(name):
                continue
            devices = self.snapshot.devices(Backend(name))
            by_index = {device.index: device for device in devices if device.torch_device}
            if by_index:
                chosen = by_index.get(preferred_index) or by_index[min(by_index)]
                return str(chosen.torch_device)
        return "cpu"

    def get_compatible_hardware_types(self, requirements: Mapping[str, Any]) -> list[str]:
        """The available backends that meet `requirements`, in the order of their list.

        `requirements` is {backend: {"compatible": bool}, "memory_requirements": {backend: GB}}.
        """
        cpu_first = sorted(Backend, key=lambda backend: backend is not CPU)
        return [name for name in cpu_first if self._meets(name, requirements)]

    def _meets(self, backend: Backend, requirements: Mapping[str, Any]) -> bool:
        said = requirements.get(backend)
        compatible = (
            said.get("compatible", True) if isinstance(said, Mapping) else said is not False
        )
        if not compatible or not self.is_available(backend):
            return False
        needed_gb = (requirements.get(_MEMORY) or {}).get(backend) or 0
        sizes = [device.total_mb for device in self.snapshot.devices(backend) if device.total_mb]
        return not sizes or needed_gb * 1024 <= max(sizes)

    def print_summary(self, detailed: bool = False) -> None:
        available = [name for name, found in self.get_available_hardware().items() if found]
        print(f"Available hardware: {', '.join(available)}")
        print(f"Best available hardware: {self.get_best_available_hardware()}")
        print(f"PyTorch device: {self.get_torch_device()}")
        for name, error in self.get_errors().items():
            print(f"Present but unusable: {name}: {error}")
        if detailed:
            for name, found in self.get_hardware_details().items():
                print(f"{name}: {found}")


def detect_available_hardware(
    cache_file: str | os.PathLike[str] | None = None,
    priority_list: Sequence[str] | None = None,
    preferred_device_index: int = 0,
    force_refresh: bool = False,
) -> dict[str, Any]:
    """The guide's dictionary of this machine."""
    from rpgen.hardware.guide_dict import system

    detector = HardwareDetector(cache_file, force_refresh)
    hardware = detector.get_available_hardware()
    order = list(priority_list) if priority_list else get_hardware_priority_list()
    return {
        **hardware,
        "hardware": hardware,
        "details": detector.get_hardware_details(),
        "errors": detector.get_errors(),
        "best_available": detector.get_hardware_by_priority(order),
        "torch_device": detector.get_torch_device_with_priority(order, preferred_device_index),
        "priority_list": order,
        "preferred_device_index": preferred_device_index,
        "system": system(detector.snapshot),
    }


def detect_hardware_with_comprehensive_checks() -> dict[str, Any]:
    """As `detect_available_hardware`, with the keys that old scripts read at the top level.

    `cuda_devices`, `cuda_device_count`, `<backend>_error` and so on are copies of details.
    """
    found = detect_available_hardware()
    details = found["details"]
    for name, said in details.items():
        if said.get("reason"):
            found[f"{name}_error"] = said["reason"]
        if said.get("devices"):
            found[f"{name}_devices"] = said["devices"]
            found[f"{name}_device_count"] = len(said["devices"])
        if said.get("version"):
            found[f"{name}_version"] = said["version"]
    return found


def get_hardware_priority_list() -> list[str]:
    """The order in which backends are preferred where nobody says otherwise."""
    return list(DEFAULT_PRIORITY)


def get_model_hardware_compatibility(model_name: str) -> dict[str, dict[str, Any]]:
    """What the compatibility tables say of a model, by backend, and what that means here.

    The result can be given to the pool as `hw_compatibility`.
    """
    return {
        str(seen.backend): {
            "compatible": seen.compatible,
            "system": seen.on_this_system,
            "effective": seen.effective,
            "reason": seen.reason,
        }
        for seen in outlook_of(model_name, HardwareDetector().snapshot).backends
    }


def get_recommended_device(model_type: str | None = None, model_name: str | None = None) -> str:
    """The torch device for a family or an architecture, or for a named model."""
    from rpgen.families import Family
    from rpgen.placement.outlook import best_device

    if model_name:
        return outlook_of(model_name, HardwareDetector().snapshot).torch_device
    family = Family(model_type) if model_type in list(Family) else None
    return best_device(family, model_type, HardwareDetector().snapshot)[1]


def outlook_of(model: str, snapshot: HardwareSnapshot) -> "ModelOutlook":
    """What a hub id, a folder or a `.gguf` file would run on. UsageError for a name of nothing."""
    from rpgen.placement.outlook import outlook

    return outlook(_classified(model), snapshot)


def _classified(model: str) -> "Classification":
    from rpgen.classification import ModelFacts, classify
    from rpgen.model_database import load
    from rpgen.models.reference import ReferenceKind, local_files, parse_reference

    reference = parse_reference(model)
    files = local_files(reference)
    facts = ModelFacts(
        name=reference.name if reference.kind is ReferenceKind.HUB else reference.label,
        config=files.config,
        modules=files.modules,
    )
    return classify(facts, load())
