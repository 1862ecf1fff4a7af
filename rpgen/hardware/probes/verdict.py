"""From what a probe of a torch backend saw to its state, by the same rule for each of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rpgen.hardware.packages import TorchBuild
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, State, Step


def absent(
    backend: Backend,
    reason: str,
    remedy: str,
    evidence: Sequence[Evidence] = (),
    facts: Mapping[str, Any] | None = None,
) -> BackendReport:
    return BackendReport(
        backend, State.ABSENT, tuple(evidence), reason=reason, remedy=remedy, facts=facts or {}
    )


def unusable(
    backend: Backend,
    reason: str,
    remedy: str,
    evidence: Sequence[Evidence] = (),
    devices: Sequence[Device] = (),
    facts: Mapping[str, Any] | None = None,
) -> BackendReport:
    return BackendReport(
        backend, State.UNUSABLE, tuple(evidence), tuple(devices), reason, remedy, facts or {}
    )


def with_torch(
    backend: Backend,
    devices: Sequence[Device],
    evidence: Sequence[Evidence],
    torch: TorchBuild | None,
    built_for_it: bool,
    remedy: str,
    facts: Mapping[str, Any],
) -> BackendReport:
    """The verdict on devices that their driver knows: it is up to the build of torch now."""
    seen = devices[0].name if len(devices) == 1 else f"{len(devices)} devices"
    if torch is None:
        evidence = [*evidence, Evidence(Step.USABLE, False, "torch isn't installed")]
        return unusable(
            backend, f"{seen} found, but torch isn't installed", remedy, evidence, devices, facts
        )
    build = f"torch {torch.version} is built for {torch.kind}"
    evidence = [*evidence, Evidence(Step.USABLE, built_for_it, build)]
    if not built_for_it:
        return unusable(backend, f"{seen} found, but {build}", remedy, evidence, devices, facts)
    return BackendReport(backend, State.AVAILABLE, tuple(evidence), tuple(devices), facts=facts)
