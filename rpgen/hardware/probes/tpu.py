"""Google's TPUs, which torch reaches through torch_xla."""

from rpgen.hardware import pci
from rpgen.hardware.packages import installed_versions
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, State, Step

_PACKAGES = ("torch_xla", "libtpu")
_REMEDY = "on a TPU machine: pip install 'torch_xla[tpu]'"


def probe(here: Surroundings) -> BackendReport:
    chips = _chips(here)
    versions = installed_versions(_PACKAGES, here.search_path)
    xla = versions.get("torch_xla")
    type_named = here.env.get("TPU_ACCELERATOR_TYPE") or here.env.get("ACCELERATOR_TYPE")
    facts = {"torch_xla_version": xla, "accelerator_type": type_named}
    evidence = [
        Evidence(Step.LIBRARY, xla is not None, f"torch_xla {xla}" if xla else "no torch_xla"),
        Evidence(Step.DEVICE, bool(chips), f"{chips} TPU chips" if chips else "no TPU chip"),
    ]
    if not chips:
        return absent(Backend.TPU, "no TPU chip found", _REMEDY, evidence, facts)
    devices = tuple(
        Device(Backend.TPU, number, type_named or "Google TPU", dtypes=("fp32", "bf16"))
        for number in range(chips)
    )
    if xla is None:
        reason = f"{chips} TPU chips found, but torch_xla isn't installed"
        return unusable(Backend.TPU, reason, _REMEDY, evidence, devices, facts)
    usable = Evidence(Step.USABLE, None, "torch_xla was not started: it takes the chips for itself")
    return BackendReport(Backend.TPU, State.AVAILABLE, (*evidence, usable), devices, facts=facts)


def _chips(here: Surroundings) -> int:
    """Chips on the bus; their device nodes where the bus is hidden from a container."""
    on_bus = len(pci.accelerators(here, pci.GOOGLE))
    own_nodes = [name for name in here.names("dev", "accel") if name[5:].isdigit()]
    return on_bus or len(own_nodes)
