import ctypes

import pytest

from rpgen.hardware.pci import NVIDIA
from rpgen.hardware.probes import cuda, nvidia_smi
from rpgen.hardware.surroundings import Finished
from rpgen.hardware.types import State, Step

TWO = """\
0, NVIDIA H200, 143771, 580.82.07, 9.0, GPU-aaaa1111-0000-0000-0000-000000000000
1, Tesla T4, 15360, 580.82.07, 7.5, GPU-bbbb2222-0000-0000-0000-000000000000
"""


@pytest.fixture
def nvidia(machine):
    machine.pci(NVIDIA, 0x2335, kind=0x0302)
    machine.programs["nvidia-smi"] = TWO
    machine.file("sys/module/nvidia/version", "580.82.07\n")
    machine.torch("2.13.0+cu130", cuda="13.0")
    return machine


def test_gpus_with_a_cuda_build_are_available(nvidia):
    report = cuda.probe(nvidia.here)
    assert report.state is State.AVAILABLE
    assert [device.torch_device for device in report.devices] == ["cuda:0", "cuda:1"]
    first, second = report.devices
    assert (first.name, first.total_mb, first.capability) == ("NVIDIA H200", 143771, (9, 0))
    assert first.has_tensor_cores
    assert first.dtypes == ("fp32", "fp16", "bf16")
    assert second.dtypes == ("fp32", "fp16")
    assert report.facts["driver_version"] == "580.82.07"
    assert report.facts["cuda_version"] == "13.0"
    assert report.reason == ""


def test_a_gpu_beside_a_cpu_build_of_torch_is_unusable(nvidia):
    nvidia.torch("2.13.0+cpu")
    report = cuda.probe(nvidia.here)
    assert report.state is State.UNUSABLE
    assert "torch 2.13.0+cpu is built for CPU" in report.reason
    assert "CUDA build of torch" in report.remedy
    assert len(report.devices) == 2, "what is there is still told"
    said = [(seen.step, seen.found) for seen in report.evidence]
    assert (Step.LIBRARY, True) in said
    assert (Step.DEVICE, True) in said
    assert said[-1] == (Step.USABLE, False)


def test_the_order_of_unequal_gpus_is_not_claimed_to_be_known(nvidia):
    def unknown():
        return [seen.detail for seen in cuda.probe(nvidia.here).evidence if seen.found is None]

    [said] = unknown()
    assert "CUDA_DEVICE_ORDER" in said
    nvidia.env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    assert unknown() == []


def test_a_gpu_without_torch(nvidia):
    (nvidia.packages / "torch/version.py").unlink()
    report = cuda.probe(nvidia.here)
    assert report.state is State.UNUSABLE
    assert "torch isn't installed" in report.reason


def test_a_driver_too_old_for_torch(nvidia):
    nvidia.programs["nvidia-smi"] = TWO.replace("580.82.07", "535.104.05")
    report = cuda.probe(nvidia.here)
    assert report.state is State.UNUSABLE
    assert "535.104.05 is too old" in report.reason
    assert "580" in report.reason


def test_a_gpu_on_the_bus_without_a_driver(machine):
    machine.pci(NVIDIA, 0x2335, kind=0x0302)
    report = cuda.probe(machine.here)
    assert report.state is State.UNUSABLE
    assert "10de:2335" in report.reason
    assert "driver" in report.remedy


def test_a_driver_that_does_not_answer(nvidia):
    nvidia.programs["nvidia-smi"] = Finished(
        9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    )
    report = cuda.probe(nvidia.here)
    assert report.state is State.UNUSABLE
    assert "couldn't communicate" in report.reason


def test_the_kernel_module_alone_still_names_the_gpu(nvidia):
    del nvidia.programs["nvidia-smi"]
    nvidia.file(
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA H200\nIRQ:   \t\t 24\nGPU UUID: \t GPU-aaaa1111\n",
    )
    report = cuda.probe(nvidia.here)
    assert report.state is State.AVAILABLE
    assert report.devices[0].name == "NVIDIA H200"
    assert report.devices[0].total_mb is None, "unknown is None"


def test_nothing_at_all(machine):
    machine.torch("2.13.0+cu130", cuda="13.0")
    report = cuda.probe(machine.here)
    assert report.state is State.ABSENT
    assert report.reason
    assert report.remedy


def test_another_vendors_card_and_a_network_card_of_nvidia_are_no_nvidia_gpu(machine):
    machine.pci(0x1002)
    machine.pci(NVIDIA, kind=0x0200, address="0000:02:00.0")
    assert cuda.probe(machine.here).state is State.ABSENT


@pytest.mark.parametrize("value", ["", "-1", "7", "none"])
def test_all_gpus_hidden(nvidia, value):
    nvidia.env["CUDA_VISIBLE_DEVICES"] = value
    report = cuda.probe(nvidia.here)
    assert report.state is State.UNUSABLE
    assert "CUDA_VISIBLE_DEVICES" in report.reason


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("1", ["Tesla T4"]),
        ("1,0", ["Tesla T4", "NVIDIA H200"]),
        ("0,7,1", ["NVIDIA H200"]),
        ("0,0", ["NVIDIA H200"]),
        ("GPU-bbbb", ["Tesla T4"]),
        ("GPU-bbbb,0", ["Tesla T4", "NVIDIA H200"]),
        ("GPU-", []),
        ("MIG-1234", []),
    ],
)
def test_visible_devices_as_the_driver_reads_them(value, names):
    shown = nvidia_smi.visible(nvidia_smi.parse(TWO), value)
    assert [gpu.name for gpu in shown] == names


def test_torch_counts_the_visible_ones_from_zero(nvidia):
    nvidia.env["CUDA_VISIBLE_DEVICES"] = "1"
    [device] = cuda.probe(nvidia.here).devices
    assert (device.name, device.torch_device, device.index) == ("Tesla T4", "cuda:0", 0)
    assert device.facts["driver_index"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "index, name, memory.total [MiB]\n",
        "x, NVIDIA H200, 1, 2, 3, 4\n",
        "0, half a row\n",
    ],
)
def test_rows_that_are_no_gpus(text):
    assert nvidia_smi.parse(text) == ()


def test_what_an_old_driver_does_not_tell_is_none():
    [gpu] = nvidia_smi.parse("0, Tesla K80, [N/A], 390.1, [N/A], GPU-1\n")
    assert gpu.total_mb is None
    assert gpu.capability is None


class FakeNvml:
    """Answers as the C library does: a status, and results through pointers."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.open = 0

    def __getattr__(self, name: str):
        def call(*arguments):
            return 999 if name == self.broken else self._answer(name, *arguments)

        return call

    def _answer(self, name, *arguments):
        def into(position, **values):
            pointed = arguments[position]._obj
            for field, value in values.items():
                setattr(pointed, field, value)

        texts = {
            "nvmlSystemGetDriverVersion": b"580.1",
            "nvmlDeviceGetName": b"NVIDIA H200",
            "nvmlDeviceGetUUID": b"GPU-1",
        }
        if name in texts:
            buffer = next(a for a in arguments if isinstance(a, ctypes.Array))
            buffer.value = texts[name]
        elif name == "nvmlInit_v2":
            self.open += 1
        elif name == "nvmlShutdown":
            self.open -= 1
        elif name == "nvmlDeviceGetCount_v2":
            into(0, value=1)
        elif name == "nvmlDeviceGetMemoryInfo":
            into(1, total=8 * 2**30)
        elif name == "nvmlDeviceGetCudaComputeCapability":
            into(1, value=9)
            into(2, value=0)
        return 0


def test_the_management_library_answers_where_nvidia_smi_is_missing(nvidia):
    del nvidia.programs["nvidia-smi"]
    library = FakeNvml()
    nvidia.libraries["libnvidia-ml.so.1"] = library
    [device] = cuda.probe(nvidia.here).devices
    assert (device.name, device.total_mb, device.capability) == ("NVIDIA H200", 8192, (9, 0))
    assert library.open == 0, "the library was shut down"


@pytest.mark.parametrize("broken", ["nvmlInit_v2", "nvmlDeviceGetMemoryInfo"])
def test_a_management_library_that_fails_says_where(nvidia, broken):
    del nvidia.programs["nvidia-smi"]
    nvidia.libraries["libnvidia-ml.so.1"] = FakeNvml(broken)
    report = cuda.probe(nvidia.here)
    assert report.state is State.UNUSABLE
    assert broken in report.reason
