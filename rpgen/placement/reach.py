"""Whether tests that ask for a backend would run on a machine, told from its snapshot alone.

What `run` does when it gets there is up to the backend's own probe: it asks the package or the
browser. This says the same as far as detection knows, so that `generate` can say it beforehand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rpgen.hardware.backend_proofs import wasm_of
from rpgen.hardware.browser_files import SOFTWARE_ADAPTERS
from rpgen.hardware.probes.in_browser import WASM
from rpgen.hardware.types import Backend, BackendReport, HardwareSnapshot, State
from rpgen.placement.targets import Target

VIRTUAL = ("AUTO", "MULTI", "HETERO", "BATCH")
"""OpenVINO's devices that spread the work over others as they see fit."""


def why_skipped(
    target: Target, machine: HardwareSnapshot, environment: Mapping[str, str]
) -> str | None:
    """The reason for which tests on a target are skipped there; None where they would run."""
    if target.backend == WASM:
        return _unusable(wasm_of(machine))
    if target.kind is None:
        return None
    report = machine.report(target.kind)
    if target.kind is Backend.WEBGPU and environment.get(SOFTWARE_ADAPTERS) == "1":
        report = replace(report, state=_taken(report.state))
    if target.kind is Backend.WEBNN and (target.device or "cpu").lower() == "cpu":
        report = replace(report, state=_taken(report.state))
    return _unusable(report) or _lacks(report, target)


def _taken(state: State) -> State:
    """Software that was asked for."""
    return State.AVAILABLE if state is State.SOFTWARE else state


def _unusable(report: BackendReport) -> str | None:
    if report.available:
        return None
    return report.reason + (f" ({report.remedy})" if report.remedy else "")


def _lacks(report: BackendReport, target: Target) -> str | None:
    """Which of the devices that were named a backend doesn't have."""
    device = target.device
    if device is None:
        return None
    if report.backend is Backend.OPENVINO:
        return _unlisted(device, report.facts.get("devices"))
    if report.backend is Backend.ONNXRUNTIME:
        known = report.facts.get("providers")
        if not isinstance(known, Iterable) or device in known:
            return None
        return f"ONNX Runtime has no {device}, it has {', '.join(known)}"
    if device.isdigit() and int(device) >= len(report.devices):
        return f"{len(report.devices)} of its kind here"
    return None


def _unlisted(device: str, listed: object) -> str | None:
    """Of OpenVINO's names GPU is there where GPU.0 is; those that spread work name others."""
    if not isinstance(listed, Iterable):
        return None
    names = [str(each) for each in listed]
    kind, _, parts = device.partition(":")
    wanted = [part.partition("(")[0] for part in parts.split(",")] if parts else []
    wanted = wanted if kind in VIRTUAL else [device]
    known = {*names, *(name.partition(".")[0] for name in names)}
    missing = [part for part in wanted if part not in known]
    return (
        f"OpenVINO lists no {', '.join(missing)}, it lists {', '.join(names)}" if missing else None
    )
