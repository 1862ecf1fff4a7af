import pytest

from rpgen.hardware.probes import cpu
from rpgen.hardware.types import State, Step

ARM = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes fphp asimdhp sve bf16
CPU implementer\t: 0x41

processor\t: 1
Features\t: fp asimd evtstrm aes fphp asimdhp sve bf16

Hardware\t: Example Board
"""


def never() -> dict[str, object]:
    raise AssertionError("the slow query was made although /proc/cpuinfo answers")


def test_an_x86_machine(machine):
    machine.processors(4, threads_per_core=2)
    machine.torch("2.13.0+cpu")
    report = cpu.probe(machine.here, query=never)
    assert report.state is State.AVAILABLE
    assert report.facts["cores"] == {"logical": 4, "physical": 2}
    assert report.facts["processor"] == "Example Processor 9000"
    has = report.facts["instructions"]
    assert has["sse"]
    assert has["avx2"]
    assert has["avx512"]
    assert has["amx"]
    assert not has["neon"]
    [device] = report.devices
    assert device.dtypes == ("fp32", "bf16")
    assert device.total_mb == 16384


def test_an_arm_machine_counts_its_cores_in_sys(machine):
    machine.machine = "aarch64"
    machine.file("proc/cpuinfo", ARM)
    for number in (0, 1):
        topology = f"sys/devices/system/cpu/cpu{number}/topology"
        machine.file(f"{topology}/physical_package_id", "0")
        machine.file(f"{topology}/core_id", str(number))
    report = cpu.probe(machine.here, query=never)
    assert report.facts["processor"] == "Example Board"
    assert report.facts["cores"] == {"logical": 2, "physical": 2}
    assert report.facts["instructions"]["neon"]
    assert report.facts["instructions"]["sve"]
    assert not report.facts["instructions"]["sse"]
    assert report.devices[0].dtypes == ("fp32", "fp16", "bf16")


def test_physical_cores_that_nobody_tells_are_unknown_not_zero(machine):
    machine.file("proc/cpuinfo", ARM)
    assert cpu.probe(machine.here, query=never).facts["cores"]["physical"] is None


def test_without_proc_py_cpuinfo_is_asked(machine):
    (machine.root / "proc/cpuinfo").unlink()
    answer = {"brand_raw": "Apple M9", "count": 10, "flags": [], "arch": "ARM_8", "bits": 64}
    report = cpu.probe(machine.here, query=lambda: answer, count_physical=lambda: 10)
    assert report.facts["processor"] == "Apple M9"
    assert report.facts["cores"] == {"logical": 10, "physical": 10}
    assert report.facts["instructions"]["neon"]


@pytest.mark.parametrize("text", ["", "nonsense", "processor\n", "\n\n\n", ": : :\n"])
def test_a_cpuinfo_that_says_nothing(text):
    assert cpu.parse_cpuinfo(text) is None


def test_a_missing_torch_is_said(machine):
    report = cpu.probe(machine.here, query=never)
    [usable] = [seen for seen in report.evidence if seen.step is Step.USABLE]
    assert usable.found is False
