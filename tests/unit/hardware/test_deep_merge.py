"""What proofs do to a snapshot, and the arithmetic that the child uses."""

import pytest

from rpgen.hardware import kernels
from rpgen.hardware.proofs import Proof, Proofs, merge
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
    Step,
)

GPU = Device(
    Backend.CUDA,
    0,
    "NVIDIA H200",
    "cuda:0",
    143771.0,
    capability=(9, 0),
    dtypes=("fp32", "fp16", "bf16"),
)
OTHER = Device(Backend.CUDA, 1, "Tesla T4", "cuda:1", 15360.0, capability=(7, 5))


def snapshot(*reports: BackendReport) -> HardwareSnapshot:
    host = HostIdentity("here", "Linux", "x86_64")
    return HardwareSnapshot(host, {report.backend: report for report in reports}, 2, 1024.0)


def cuda(state: State = State.AVAILABLE, devices=(GPU, OTHER)) -> BackendReport:
    reason = "" if state is State.AVAILABLE else "the probe saw something wrong"
    return BackendReport(Backend.CUDA, state, devices=devices, reason=reason, remedy=reason)


def merged(report: BackendReport, *proofs: Proof, none=()) -> BackendReport:
    found = merge(snapshot(report), Proofs(proofs, frozenset(none)))
    return found.report(report.backend)


ALL = ("fp32", "fp16", "bf16")


def test_a_proof_is_evidence():
    report = merged(cuda(devices=(GPU,)), Proof("cuda:0", ALL))
    assert report.state is State.AVAILABLE
    [seen] = report.evidence
    assert (seen.step, seen.found) == (Step.KERNEL, True)
    assert report.devices == (GPU,)


def test_a_device_that_fails_is_no_device():
    report = merged(cuda(), Proof("cuda:0", ALL), Proof("cuda:1", failure="Xid 79"))
    assert report.state is State.AVAILABLE
    assert [device.torch_device for device in report.devices] == ["cuda:0"]
    assert [seen.found for seen in report.evidence] == [True, False]


def test_when_all_fail_the_backend_is_unusable():
    report = merged(cuda(), Proof("cuda", failure="the process crashed with signal 11"))
    assert report.state is State.UNUSABLE
    assert "signal 11" in report.reason
    assert report.remedy


def test_a_proof_overrules_a_probe_that_saw_nothing():
    absent = cuda(State.ABSENT, devices=())
    proof = Proof("cuda:0", ALL, name="NVIDIA X", total_mb=1000.0, capability=(8, 0))
    report = merged(absent, proof)
    assert report.state is State.AVAILABLE
    assert report.reason == ""
    [device] = report.devices
    assert (device.name, device.total_mb, device.capability) == ("NVIDIA X", 1000.0, (8, 0))


def test_torch_names_the_device_where_the_drivers_order_differs():
    proof = Proof("cuda:0", ALL, name="Tesla T4", total_mb=15000.0, capability=(7, 5))
    [device] = merged(cuda(), proof).devices
    assert (device.name, device.total_mb, device.capability) == ("Tesla T4", 15000.0, (7, 5))


def test_a_dtype_that_came_out_wrong_is_not_offered():
    proof = Proof("cuda:0", ("fp32", "fp16"), failure="bf16: the product is wrong")
    [device] = merged(cuda(), proof).devices
    assert device.dtypes == ("fp32", "fp16")


def test_a_wrong_fp32_product_is_a_failure():
    proof = Proof("cuda:0", ("fp16",), failure="fp32: the product is wrong")
    assert merged(cuda(), proof).state is State.UNUSABLE


def test_what_torch_does_not_see_is_unusable():
    report = merged(cuda(), none=["cuda"])
    assert report.state is State.UNUSABLE
    assert report.reason
    assert report.evidence[-1].found is None


def test_the_probes_own_reason_stays():
    report = merged(cuda(State.UNUSABLE), none=["cuda"])
    assert report.reason == "the probe saw something wrong"


def test_torch_says_cuda_for_rocm():
    gpu = Device(Backend.ROCM, 0, "AMD", "cuda:0", 100.0)
    rocm = BackendReport(Backend.ROCM, State.AVAILABLE, devices=(gpu,))
    report = merged(rocm, Proof("cuda:0", ("fp32",), hip=True))
    assert report.evidence[-1].found is True


def test_the_product_is_exact_in_every_dtype():
    left, right = kernels.operands()
    values = [value for row in kernels.product(left, right) for value in row]
    assert max(abs(value) for value in values) <= 256
    assert len(set(values)) > 10, "a constant result would prove little"
    assert kernels.product([[1, 2]], [[3], [4]]) == [[11]]


@pytest.mark.parametrize("kind", kernels.KINDS)
def test_a_torch_without_a_runtime_has_no_devices(kind):
    class Torch:
        class backends:  # noqa: N801 - torch's own name
            class mps:  # noqa: N801
                is_available = staticmethod(lambda: False)

    assert kernels.devices(Torch(), kind) == (["cpu"] if kind == "cpu" else [])
