"""What computing on backends proves, and what that makes of a snapshot."""

from dataclasses import replace

import pytest

from rpgen.cli.hardware_table import table
from rpgen.hardware.backend_proofs import TargetProof, merge, targets_of, wasm_of
from rpgen.hardware.probes.in_browser import WASM, as_fact
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
    Step,
)


def snapshot(*reports: BackendReport) -> HardwareSnapshot:
    host = HostIdentity("here", "Linux", "x86_64")
    return HardwareSnapshot(host, {report.backend: report for report in reports}, 4, 32_000.0)


def openvino(*names: str) -> BackendReport:
    devices = tuple(
        Device(Backend.OPENVINO, number, name, facts={"openvino_device": name})
        for number, name in enumerate(names)
    )
    return BackendReport(Backend.OPENVINO, State.AVAILABLE, devices=devices)


BROWSER = BackendReport(Backend.WEBNN, State.AVAILABLE)
WEBNN = replace(
    BROWSER, state=State.SOFTWARE, reason="the processor", facts={WASM: as_fact(BROWSER)}
)
WEBGPU = BackendReport(Backend.WEBGPU, State.AVAILABLE)
PROVIDER = BackendReport(
    Backend.ONNXRUNTIME,
    State.AVAILABLE,
    devices=(Device(Backend.ONNXRUNTIME, 0, "P", facts={"provider": "PExecutionProvider"}),),
)
ALL = snapshot(openvino("CPU", "GPU.0"), PROVIDER, WEBGPU, WEBNN)


def test_what_is_tried_is_what_is_installed() -> None:
    assert targets_of(ALL) == (
        *("openvino:CPU", "openvino:GPU.0", "onnxruntime:PExecutionProvider"),
        *("wasm", "webgpu", "webnn"),
    )
    gone = BackendReport(Backend.WEBGPU, State.ABSENT)
    assert targets_of(snapshot(replace(openvino("CPU"), state=State.UNUSABLE), gone)) == ()


def test_a_device_that_fails_is_none_and_a_backend_without_one_is_unusable() -> None:
    proofs = (
        TargetProof("openvino:CPU", True, "right"),
        TargetProof("openvino:GPU.0", False, "no driver", "install it"),
        TargetProof("onnxruntime:PExecutionProvider", False, "it crashed", "see its log"),
    )
    found = merge(ALL, proofs)
    assert [device.name for device in found.devices(Backend.OPENVINO)] == ["CPU"]
    evidence = found.report(Backend.OPENVINO).evidence
    assert [(seen.step, seen.found, seen.detail) for seen in evidence] == [
        (Step.KERNEL, True, "openvino:CPU: right"),
        (Step.KERNEL, False, "openvino:GPU.0: no driver"),
    ]
    report = found.report(Backend.ONNXRUNTIME)
    assert (report.state, report.reason, report.remedy) == (
        State.UNUSABLE,
        "it crashed",
        "see its log",
    )
    assert found.report(Backend.WEBGPU) == WEBGPU, "nothing was proven of it"


@pytest.mark.parametrize(
    ("ok", "software", "state"),
    [
        (True, False, State.AVAILABLE),
        (True, True, State.SOFTWARE),
        (False, False, State.UNUSABLE),
        (False, True, State.UNUSABLE),
    ],
)
def test_the_running_browser_has_the_last_word(ok: bool, software: bool, state: State) -> None:
    proofs = [TargetProof(name, ok, "said", "do this", software) for name in ("webgpu", "webnn")]
    found = merge(ALL, proofs)
    for backend in (Backend.WEBGPU, Backend.WEBNN):
        report = found.report(backend)
        assert report.state is state
        assert bool(report.reason) == (state is not State.AVAILABLE)
        assert report.evidence[-1].detail == f"{backend}: said"
    assert wasm_of(found).available


def test_wasm_has_its_own_verdict() -> None:
    found = merge(ALL, [TargetProof(WASM, False, "it came out wrong", "see its log")])
    report = wasm_of(found)
    assert (report.state, report.reason) == (State.UNUSABLE, "it came out wrong")
    assert report.evidence[-1].detail == "wasm: it came out wrong"
    assert found.report(Backend.WEBNN).state is State.SOFTWARE
    assert "wasm" in list(table(found, with_evidence=True).columns[0].cells)
    assert wasm_of(snapshot()).state is State.ABSENT
