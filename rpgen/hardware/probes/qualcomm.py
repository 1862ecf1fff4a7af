"""Qualcomm's accelerators (Hexagon, Adreno), which are reached through ONNX Runtime with QNN."""

from rpgen.hardware.packages import installed_versions
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, State, Step

SDK_VARIABLES = ("QNN_SDK", "QNN_SDK_ROOT")
_NODES = {"fastrpc": "Hexagon", "adsprpc": "Hexagon", "kgsl-3d": "Adreno"}
_REMEDY = "on a Snapdragon machine: pip install onnxruntime-qnn, and set QNN_SDK to Qualcomm's SDK"


def probe(here: Surroundings) -> BackendReport:
    sdk = _sdk(here)
    runtime = installed_versions(["onnxruntime-qnn"], here.search_path).get("onnxruntime-qnn")
    nodes = [name for beginning in _NODES for name in here.names("dev", beginning)]
    chip = _is_snapdragon(here)
    units = sorted(
        {kind for start, kind in _NODES.items() if any(n.startswith(start) for n in nodes)}
    )
    libraries = [
        f"onnxruntime-qnn {runtime}" if runtime else "no onnxruntime-qnn",
        "SDK found" if sdk else "no SDK (QNN_SDK)",
    ]
    evidence = [
        Evidence(Step.LIBRARY, bool(runtime or sdk), ", ".join(libraries)),
        Evidence(Step.DEVICE, bool(nodes or chip), ", ".join(nodes) or chip or "no such device"),
    ]
    facts = {"onnxruntime_qnn_version": runtime, "sdk": bool(sdk), "nodes": nodes}
    if not nodes and not chip:
        reason = "no Qualcomm accelerator found"
        if sdk or runtime:
            reason += "; the SDK alone could only simulate one"
        return absent(Backend.QUALCOMM, reason, _REMEDY, evidence, facts)
    names = units or [chip]
    devices = tuple(Device(Backend.QUALCOMM, i, f"Qualcomm {n}") for i, n in enumerate(names))
    if runtime is None:
        reason = f"{devices[0].name} found, but onnxruntime-qnn isn't installed"
        return unusable(Backend.QUALCOMM, reason, _REMEDY, evidence, devices, facts)
    usable = Evidence(Step.USABLE, None, "the QNN provider was not started")
    return BackendReport(
        Backend.QUALCOMM, State.AVAILABLE, (*evidence, usable), devices, facts=facts
    )


def _sdk(here: Surroundings) -> str | None:
    """The SDK's folder, where a variable names one that is there."""
    for variable in SDK_VARIABLES:
        folder = here.env.get(variable)
        if folder and here.exists(folder):
            return folder
    return None


def _is_snapdragon(here: Surroundings) -> str:
    """What the device tree says of a Qualcomm system on a chip; "" where it is another."""
    compatible = (here.text("proc/device-tree/compatible") or "").split("\0")
    return next((name for name in compatible if name.startswith("qcom,")), "")
