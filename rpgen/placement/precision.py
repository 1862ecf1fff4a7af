"""The dtype that a model is loaded in on a device, and who makes its weights smaller than that.

Quantised weights are transformers' business; a package does the work. Which packages can do
what on which device is a table here, which of them are installed is asked before.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rpgen.hardware.types import Backend, Device
from rpgen.placement.preferences import QUANTISED, Preferences


@dataclass(frozen=True)
class Quantiser:
    """A package that transformers quantises with. `module` is what it is imported by."""

    name: str
    module: str
    precisions: tuple[str, ...]
    backends: tuple[Backend, ...]


_GPUS = (Backend.CUDA, Backend.ROCM, Backend.XPU)
QUANTISERS = (
    Quantiser("bitsandbytes", "bitsandbytes", ("int8", "int4"), (Backend.CPU, *_GPUS)),
    Quantiser("torchao", "torchao", ("int8",), (Backend.CPU, *_GPUS)),
    Quantiser("optimum-quanto", "optimum.quanto", ("int8", "int4"), (Backend.CPU, *_GPUS)),
)
"""In order of preference: the first takes a second for what takes the last a compiler and a
minute; torchao's int4 needs kernels that its wheel doesn't have for every device."""

REMEDY = "pip install 'rpgen[quantize]'"


def installed(find: Callable[[str], object]) -> tuple[str, ...]:
    """The names of those that are installed; `find` is `importlib.util.find_spec`."""

    def here(module: str) -> bool:
        try:
            return find(module) is not None
        except (ImportError, ValueError):  # the parent package is missing, or is no package
            return False

    return tuple(one.name for one in QUANTISERS if here(one.module))


def quantiser(precision: str, backend: Backend, names: tuple[str, ...]) -> str | None:
    """The name of the one to take, out of those installed; None where none can do it."""
    for one in QUANTISERS:
        if one.name in names and precision in one.precisions and backend in one.backends:
            return one.name
    return None


def why_not_quantised(
    preferences: Preferences, device: Device, names: tuple[str, ...] | None
) -> str | None:
    """Why the precision that was asked for can't be had there; None where it can."""
    asked = preferences.precision
    if asked not in QUANTISED:
        return None
    if names is None:
        return f"{asked} is for checkpoints: this constructor can't be asked for it"
    if quantiser(str(asked), device.backend, names) is None:
        return f"{asked} on {device.backend} needs a package that isn't installed: {REMEDY}"
    return None


def loaded_in(dtype: str | None, backend: Backend) -> str | None:
    """What weights come to that are asked for in `dtype`. On the CPU half precision is only for
    those who ask: fp32 is what it computes well in."""
    return dtype or ("fp32" if backend is Backend.CPU else None)


def choose_dtype(
    preferences: Preferences, device: Device, names: tuple[str, ...] | None = ()
) -> tuple[str | None, tuple[str, ...]]:
    """The dtype to load in, and what is to be said of it. None: as the checkpoint has it."""
    asked = preferences.precision
    if asked in QUANTISED:
        by = quantiser(str(asked), device.backend, names or ())
        return asked, (f"{asked} was asked for" + (f", by {by}" if by else ""),)
    if asked == "fp32" or (asked and asked in device.dtypes):
        return asked, (f"{asked} was asked for",)
    if asked:
        return "fp32", (f"{asked} was asked for; {device.name} doesn't compute in it, fp32 does",)
    if not (preferences.force_low_memory or preferences.mixed_precision):
        return None, ()
    half = next((d for d in ("bf16", "fp16") if d in device.dtypes), None)
    why = "force_low_memory" if preferences.force_low_memory else "mixed_precision"
    if half is None:
        return None, (f"{why} found no half precision that {device.name} computes in",)
    return half, (f"{half} because of {why}",)
