"""rpgen: tests for Hugging Face models, written for you and run with care for memory.

Importing this package imports nothing heavy: the names below are fetched on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "ResourcePool": "rpgen.resource_pool",
    "get_global_resource_pool": "rpgen.resource_pool",
    "detect_available_hardware": "rpgen.hardware_detection",
    "HardwareDetector": "rpgen.hardware_detection",
    "classify_model": "rpgen.model_family_classifier",
    "Checkpoint": "rpgen.models",
}
_SUBPACKAGES = (
    "checks",
    "hardware_detection",
    "model_family_classifier",
    "models",
    "resource_pool",
)

__all__ = ["__version__", *_WHERE, *_SUBPACKAGES]

if TYPE_CHECKING:
    from rpgen import checks as checks
    from rpgen.hardware_detection import HardwareDetector as HardwareDetector
    from rpgen.hardware_detection import detect_available_hardware as detect_available_hardware
    from rpgen.model_family_classifier import classify_model as classify_model
    from rpgen.models import Checkpoint as Checkpoint
    from rpgen.resource_pool import ResourcePool as ResourcePool
    from rpgen.resource_pool import get_global_resource_pool as get_global_resource_pool


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"rpgen.{name}")
    raise AttributeError(f"module 'rpgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
