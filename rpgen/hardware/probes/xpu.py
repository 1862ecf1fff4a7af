"""Intel GPUs: the bus, the render nodes, Level Zero, and torch's build for XPU."""

from rpgen.hardware import pci
from rpgen.hardware.packages import torch_build
from rpgen.hardware.probes.verdict import absent, unusable, with_torch
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, Step

_LEVEL_ZERO = ("libze_loader.so.1", "ze_loader.dll")

XPU_TORCH = (
    "install an XPU build of torch: pip install torch "
    "--index-url https://download.pytorch.org/whl/xpu"
)


def probe(here: Surroundings) -> BackendReport:
    on_bus = pci.accelerators(here, pci.INTEL)
    torch = torch_build(here.search_path)
    level_zero = bool(on_bus) and any(here.library(name) is not None for name in _LEVEL_ZERO)
    facts = {"xpu_version": torch.xpu if torch else None, "devices_on_bus": len(on_bus)}
    if not on_bus:
        evidence = [Evidence(Step.DEVICE, False, "no Intel GPU on the bus")]
        remedy = "needs an Intel GPU, its compute driver (Level Zero), and an XPU build of torch"
        return absent(Backend.XPU, "no Intel GPU found", remedy, evidence, facts)
    devices = tuple(_device(number, found) for number, found in enumerate(on_bus))
    names = ", ".join(device.name for device in devices)
    library = "Level Zero is installed" if level_zero else "Level Zero isn't installed"
    evidence = [Evidence(Step.LIBRARY, level_zero, library), Evidence(Step.DEVICE, True, names)]
    undriven = [found for found in on_bus if found.driver not in ("i915", "xe")]
    if len(undriven) == len(on_bus):
        reason = f"{names} found, but the driver is {on_bus[0].driver or 'missing'}"
        remedy = "use the kernel's i915 or xe driver"
        return unusable(Backend.XPU, reason, remedy, evidence, devices, facts)
    if not level_zero:
        remedy = "install Intel's compute runtime (libze1, intel-opencl-icd) and an XPU torch"
        return unusable(
            Backend.XPU, f"{names} found, but {library}", remedy, evidence, devices, facts
        )
    built = bool(torch and torch.xpu)
    return with_torch(Backend.XPU, devices, evidence, torch, built, XPU_TORCH, facts)


def _device(number: int, found: pci.PciDevice) -> Device:
    """An integrated GPU sits at 0000:00:02.0 and shares the host's memory.

    The bus has no names or sizes; `--deep` asks torch for them.
    """
    integrated = found.address.endswith(":00:02.0")
    kind = "integrated GPU" if integrated else "GPU"
    return Device(
        Backend.XPU,
        number,
        f"Intel {kind} {found.vendor:04x}:{found.device:04x}",
        torch_device=f"xpu:{number}",
        unified=integrated,
        dtypes=("fp32", "fp16", "bf16"),
        facts={"address": found.address, "driver": found.driver},
    )
