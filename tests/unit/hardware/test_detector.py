import threading

from rpgen.hardware.detector import detect, run_probes
from rpgen.hardware.types import Backend, BackendReport, State


def fine(here):
    return BackendReport(Backend.CPU, State.AVAILABLE)


def broken(here):
    raise ZeroDivisionError("a driver said nonsense")


def test_a_probe_that_fails_costs_its_own_answer(machine):
    found = run_probes({Backend.CUDA: broken, Backend.CPU: fine}, machine.here)
    assert found[Backend.CPU].available
    assert found[Backend.CUDA].state is State.UNUSABLE
    assert "a driver said nonsense" in found[Backend.CUDA].reason


def test_a_probe_that_hangs_costs_its_own_answer(machine):
    release = threading.Event()

    def hangs(here):
        release.wait(30)
        return BackendReport(Backend.XPU, State.AVAILABLE)

    found = run_probes({Backend.XPU: hangs, Backend.CPU: fine}, machine.here, deadline=0.2)
    release.set()
    assert found[Backend.CPU].available
    assert found[Backend.XPU].state is State.UNUSABLE
    assert "no answer" in found[Backend.XPU].reason


def test_probes_run_side_by_side(machine):
    meeting = threading.Barrier(2, timeout=20)

    def waits(backend):
        def probe(here):
            meeting.wait()
            return BackendReport(backend, State.ABSENT, reason="met", remedy="none")

        return probe

    probes = {backend: waits(backend) for backend in (Backend.CUDA, Backend.ROCM)}
    found = run_probes(probes, machine.here)
    assert [report.reason for report in found.values()] == ["met", "met"]


def test_the_order_is_that_of_preference_whoever_answers_first(machine):
    assert list(detect(here=machine.here).backends)[-1] is Backend.CPU


def test_only_what_was_asked_for_is_probed(machine):
    found = detect(here=machine.here, only=[Backend.CPU])
    assert list(found.backends) == [Backend.CPU]
    assert found.report(Backend.CUDA).state is State.ABSENT
    assert found.report(Backend.CUDA).reason


def test_a_fake_machine_from_end_to_end(machine):
    machine.file("etc/os-release", 'NAME="X"\nPRETTY_NAME="Example Linux 1"\n')
    found = detect(here=machine.here)
    assert found.os_version == "Example Linux 1"
    assert found.memory_total_mb == 16384
    assert found.memory_limit_mb is None
    assert set(found.backends) == set(Backend)
