"""What computing on a backend's target proved, and what that makes of a snapshot.

OpenVINO and ONNX Runtime are tried on each device and provider that they list, a browser with
wasm, WebGPU and WebNN. Torch's own devices have their proofs in `proofs`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rpgen.hardware.probes.in_browser import WASM, as_fact
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Evidence,
    HardwareSnapshot,
    State,
    Step,
)

_NAMED_BY = {Backend.OPENVINO: "openvino_device", Backend.ONNXRUNTIME: "provider"}
"""Where a device of these has the name that a target is made of."""


@dataclass(frozen=True)
class TargetProof:
    """What came of a small product on one target. `software` says that the processor imitated
    the device; where it is not `ok`, `detail` says why and `remedy` what to do."""

    target: str
    ok: bool
    detail: str
    remedy: str = ""
    software: bool = False


def targets_of(snapshot: HardwareSnapshot) -> tuple[str, ...]:
    """What there is to try: nothing of what isn't installed."""
    return tuple(_targets(snapshot))


def _targets(snapshot: HardwareSnapshot) -> Iterator[str]:
    for backend, fact in _NAMED_BY.items():
        for device in snapshot.devices(backend):
            yield f"{backend}:{device.facts[fact]}"
    if wasm_of(snapshot).available:
        yield WASM
    for backend in (Backend.WEBGPU, Backend.WEBNN):
        if snapshot.report(backend).state in (State.AVAILABLE, State.SOFTWARE):
            yield str(backend)


def wasm_of(snapshot: HardwareSnapshot) -> BackendReport:
    """The report on wasm. It is no backend of its own to detection, whose names are fixed: it is
    there wherever WebNN's browser is, and told among that one's facts."""
    host = snapshot.report(Backend.WEBNN)
    told = host.facts.get(WASM)
    if not isinstance(told, dict):
        reason, remedy = "it was not looked for", "rpgen detect --refresh"
        return BackendReport(host.backend, State.ABSENT, reason=reason, remedy=remedy)
    evidence = tuple(Evidence(Step(s), found, detail) for s, found, detail in told["evidence"])
    return BackendReport(
        host.backend, State(told["state"]), evidence, reason=told["reason"], remedy=told["remedy"]
    )


def merge(snapshot: HardwareSnapshot, proofs: Sequence[TargetProof]) -> HardwareSnapshot:
    """The snapshot with what was proven; a proof has the last word on a backend's state."""
    backends = dict(snapshot.backends)
    for backend in _NAMED_BY:
        mine = [proof for proof in proofs if proof.target.partition(":")[0] == backend]
        if mine:
            backends[backend] = _on_devices(backends[backend], mine)
    for proof in proofs:
        if proof.target in (Backend.WEBGPU, Backend.WEBNN):
            report = backends[Backend(proof.target)]
            backends[report.backend] = _judged(report, proof)
    for proof in proofs:
        if proof.target == WASM:
            host = backends[Backend.WEBNN]
            told = as_fact(_judged(wasm_of(snapshot), proof))
            backends[Backend.WEBNN] = replace(host, facts={**host.facts, WASM: told})
    return replace(snapshot, backends=backends)


def _on_devices(report: BackendReport, proofs: Sequence[TargetProof]) -> BackendReport:
    evidence = (*report.evidence, *(_evidence(proof) for proof in proofs))
    good = {proof.target.partition(":")[2] for proof in proofs if proof.ok}
    if not good:
        failed = replace(report, state=State.UNUSABLE, evidence=evidence, devices=())
        return replace(failed, reason=proofs[0].detail, remedy=proofs[0].remedy)
    fact = _NAMED_BY[report.backend]
    devices = tuple(device for device in report.devices if device.facts[fact] in good)
    return replace(report, evidence=evidence, devices=devices)


def _judged(report: BackendReport, proof: TargetProof) -> BackendReport:
    """Of a browser: there is one device, and software is not available unasked."""
    proven = replace(report, evidence=(*report.evidence, _evidence(proof)))
    if not proof.ok:
        return replace(proven, state=State.UNUSABLE, reason=proof.detail, remedy=proof.remedy)
    if not proof.software:
        return replace(proven, state=State.AVAILABLE, reason="", remedy="")
    reason = report.reason or "its adapter is software: the processor computes"
    remedy = report.remedy or "needs a GPU that the browser may use, and its driver"
    return replace(proven, state=State.SOFTWARE, reason=reason, remedy=remedy)


def _evidence(proof: TargetProof) -> Evidence:
    return Evidence(Step.KERNEL, proof.ok, f"{proof.target}: {proof.detail}")
