"""What computing on a device proved, and what that makes of a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    Evidence,
    HardwareSnapshot,
    State,
    Step,
)


@dataclass(frozen=True)
class Proof:
    """What computing on one device showed. `right` has the dtypes with the right value."""

    device: str
    right: tuple[str, ...] = ()
    failure: str = ""
    hip: bool = False
    name: str | None = None
    total_mb: float | None = None
    capability: tuple[int, int] | None = None

    @property
    def ok(self) -> bool:
        return "fp32" in self.right

    @property
    def kind(self) -> str:
        return self.device.partition(":")[0]

    @property
    def detail(self) -> str:
        if not self.ok:
            return f"{self.device}: {self.failure}"
        also = f" ({self.failure})" if self.failure else ""
        return f"{self.device}: a matrix product came out right in {', '.join(self.right)}{also}"


@dataclass(frozen=True)
class Proofs:
    """All proofs; `none` names the kinds of which torch has no device."""

    proofs: tuple[Proof, ...] = ()
    none: frozenset[str] = frozenset()


def merge(snapshot: HardwareSnapshot, proofs: Proofs) -> HardwareSnapshot:
    """The snapshot with what was proven; a proof has the last word on a backend's state."""
    hip = any(proof.hip for proof in proofs.proofs) or _built_for_rocm(snapshot)
    backend_of = {
        "cpu": Backend.CPU,
        "cuda": Backend.ROCM if hip else Backend.CUDA,
        "xpu": Backend.XPU,
        "mps": Backend.MPS,
    }
    backends = dict(snapshot.backends)
    for kind, backend in backend_of.items():
        mine = [proof for proof in proofs.proofs if proof.kind == kind]
        if mine and backend in backends:
            backends[backend] = _proven(backends[backend], mine)
        elif kind in proofs.none and backend in backends:
            backends[backend] = _not_seen(backends[backend])
    return replace(snapshot, backends=backends)


def _built_for_rocm(snapshot: HardwareSnapshot) -> bool:
    return bool(snapshot.report(Backend.ROCM).facts.get("hip_version"))


def _proven(report: BackendReport, proofs: Sequence[Proof]) -> BackendReport:
    evidence = (*report.evidence, *(Evidence(Step.KERNEL, p.ok, p.detail) for p in proofs))
    good = [proof for proof in proofs if proof.ok]
    if not good:
        remedy = report.remedy or "see what the driver's log says, then reinstall driver and torch"
        return replace(
            report,
            state=State.UNUSABLE,
            evidence=evidence,
            reason=f"computing failed on {proofs[0].detail}",
            remedy=remedy,
        )
    known = {device.torch_device: device for device in report.devices}
    devices = tuple(_device(report.backend, proof, known.get(proof.device)) for proof in good)
    return replace(
        report, state=State.AVAILABLE, evidence=evidence, devices=devices, reason="", remedy=""
    )


def _device(backend: Backend, proof: Proof, known: Device | None) -> Device:
    """Torch's own words on the device, completed by what the probe knew."""
    index = int(proof.device.partition(":")[2] or 0)
    base = known or Device(
        backend, index, proof.name or str(backend), proof.device, dtypes=proof.right
    )
    renamed = bool(proof.name and proof.name != base.name)
    return replace(
        base,
        name=proof.name or base.name,
        total_mb=proof.total_mb or base.total_mb,
        capability=proof.capability or base.capability,
        dtypes=proof.right if renamed else tuple(d for d in base.dtypes if d in proof.right),
        facts={} if renamed else base.facts,
    )


def _not_seen(report: BackendReport) -> BackendReport:
    """Torch has no device of this kind: worth a line only where the probe saw one."""
    if report.state is State.ABSENT:
        return report
    seen = Evidence(Step.KERNEL, None, "not tried: torch finds no such device")
    report = replace(report, evidence=(*report.evidence, seen))
    if report.state is not State.AVAILABLE:
        return report
    return replace(
        report,
        state=State.UNUSABLE,
        reason="the device and the build of torch are there, but torch can't use it",
        remedy="see what the driver's log says; a restart helps after an update of the driver",
    )
