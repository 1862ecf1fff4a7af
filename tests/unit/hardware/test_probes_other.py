"""ROCm, MPS, XPU, TPU, OpenVINO, ONNX Runtime, the browser's two, and Qualcomm."""

import json
import shutil

import pytest

from rpgen.hardware.backend_proofs import wasm_of
from rpgen.hardware.browser_files import CHROMIUM, INSTALLED, RUNTIME
from rpgen.hardware.detector import detect
from rpgen.hardware.pci import AMD, GOOGLE, INTEL
from rpgen.hardware.probes import (
    PROBES,
    mps,
    onnxruntime,
    openvino,
    qualcomm,
    rocm,
    tpu,
    webgpu,
    webnn,
    xpu,
)
from rpgen.hardware.serialise import from_dict, to_dict
from rpgen.hardware.surroundings import Finished
from rpgen.hardware.types import Backend, State


def test_every_backend_has_a_probe():
    assert set(PROBES) == set(Backend)
    assert next(reversed(PROBES)) is Backend.CPU


@pytest.mark.parametrize("backend", [b for b in Backend if b is not Backend.CPU])
def test_on_an_empty_machine_each_says_why_and_what_to_do(machine, backend):
    report = PROBES[backend](machine.here)
    assert report.backend is backend
    assert report.state is State.ABSENT
    assert report.reason
    assert report.remedy
    assert report.evidence


@pytest.fixture
def amd(machine):
    machine.pci(AMD, 0x74A1, kind=0x1200, driver="amdgpu")
    nodes = "sys/class/kfd/kfd/topology/nodes"
    machine.file(f"{nodes}/0/properties", "cpu_cores_count 64\nsimd_count 0\n")
    machine.file(f"{nodes}/1/properties", "simd_count 1216\ngfx_target_version 90402\n")
    machine.file(f"{nodes}/1/name", "aqua_vanjaram\n")
    machine.file(f"{nodes}/1/mem_banks/0/properties", f"heap_type 1\nsize_in_bytes {192 << 30}\n")
    machine.file("dev/kfd")
    machine.file("opt/rocm/.info/version", "6.4.1\n")
    machine.torch("2.13.0+rocm6.4", hip="6.4.43482")
    return machine


def test_rocm_is_available(amd):
    report = rocm.probe(amd.here)
    assert report.state is State.AVAILABLE
    [device] = report.devices
    assert device.torch_device == "cuda:0"
    assert device.total_mb == 192 * 1024
    assert device.facts["architecture"] == "gfx942"
    assert report.facts["rocm_version"] == "6.4.1"


def test_rocm_beside_a_cuda_build_of_torch(amd):
    amd.torch("2.13.0+cu130", cuda="13.0")
    report = rocm.probe(amd.here)
    assert report.state is State.UNUSABLE
    assert "built for CUDA 13.0" in report.reason


def test_rocm_home_is_heeded(amd):
    amd.env["ROCM_HOME"] = "/somewhere/rocm"
    amd.file("somewhere/rocm/.info/version", "7.0.0")
    assert rocm.probe(amd.here).facts["rocm_version"] == "7.0.0"


def test_an_amd_gpu_without_the_compute_driver(amd):
    (amd.root / "dev/kfd").unlink()
    report = rocm.probe(amd.here)
    assert report.state is State.UNUSABLE
    assert "/dev/kfd" in report.reason


@pytest.mark.parametrize("variable", rocm.VISIBLE)
def test_a_hidden_amd_gpu(amd, variable):
    amd.env[variable] = ""
    report = rocm.probe(amd.here)
    assert report.state is State.UNUSABLE
    assert variable in report.reason


def test_mps_on_a_mac(machine):
    machine.system, machine.machine = "Darwin", "arm64"
    machine.torch("2.13.0")
    answers = {"machdep.cpu.brand_string": "Apple M4 Max\n", "hw.memsize": f"{64 << 30}\n"}

    def run(command, timeout):
        if command[0] == "sw_vers":
            return Finished(0, "15.1\n")
        return Finished(0, answers[command[-1]])

    machine._run = run
    report = mps.probe(machine.here)
    assert report.state is State.AVAILABLE
    [device] = report.devices
    assert (device.name, device.total_mb, device.unified) == ("Apple M4 Max", 65536, True)
    assert device.torch_device == "mps"


def test_mps_on_an_intel_mac_is_absent(machine):
    machine.system = "Darwin"
    assert mps.probe(machine.here).state is State.ABSENT


def test_mps_on_an_old_macos(machine):
    machine.system, machine.machine = "Darwin", "arm64"
    machine.torch("2.13.0")
    machine.programs = {"sw_vers": "12.6\n"}
    report = mps.probe(machine.here)
    assert report.state is State.UNUSABLE
    assert "12.6" in report.reason


def test_an_intel_gpu(machine):
    machine.pci(INTEL, 0x56A0, driver="xe")
    machine.torch("2.13.0+xpu", xpu="20250201")
    report = xpu.probe(machine.here)
    assert report.state is State.UNUSABLE
    assert "Level Zero" in report.reason
    machine.libraries["libze_loader.so.1"] = object()
    report = xpu.probe(machine.here)
    assert report.state is State.AVAILABLE
    assert report.devices[0].torch_device == "xpu:0"
    assert not report.devices[0].unified


def test_an_integrated_intel_gpu_beside_a_cpu_torch(machine):
    machine.pci(INTEL, 0x46A6, address="0000:00:02.0", driver="i915")
    machine.libraries["libze_loader.so.1"] = object()
    machine.torch("2.13.0+cpu")
    report = xpu.probe(machine.here)
    assert report.state is State.UNUSABLE
    assert report.devices[0].unified
    assert "XPU build" in report.remedy


def test_tpu_chips(machine):
    for number in range(4):
        machine.pci(GOOGLE, 0x0063, kind=0x1200, address=f"0000:0{number}:00.0")
    report = tpu.probe(machine.here)
    assert report.state is State.UNUSABLE
    assert "torch_xla" in report.reason
    machine.package("torch_xla", "2.9.0")
    report = tpu.probe(machine.here)
    assert report.state is State.AVAILABLE
    assert len(report.devices) == 4


def answered(value) -> str:
    return f"some chatter\n\nrpgen-answer:{json.dumps(value)}\n"


def test_openvino_lists_its_devices(machine):
    machine.package("openvino", "2026.4.1")
    machine.programs["python"] = answered(
        [["CPU", "Example Processor", ["FP32", "BF16", "INT8"]], ["GPU.0", "Arc", ["FP16"]]]
    )
    report = openvino.probe(machine.here)
    assert report.state is State.AVAILABLE
    assert report.facts["devices"] == ["CPU", "GPU.0"]
    assert report.devices[0].dtypes == ("fp32", "bf16")
    assert report.devices[0].torch_device is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Finished(-11, ""), "signal 11"),
        (Finished(1, "", "Traceback\nImportError: libtbb.so.12 is missing\n"), "libtbb.so.12"),
        (Finished(None, "", "python gave no answer in 30 s"), "no answer"),
        (Finished(0, "rpgen-answer:[]\n"), "no device"),
    ],
)
def test_an_openvino_that_is_broken_costs_its_own_answer(machine, said, reason):
    machine.package("openvino", "2026.4.1")
    machine.programs["python"] = said
    report = openvino.probe(machine.here)
    assert report.state is State.UNUSABLE
    assert reason in report.reason


def test_onnxruntime_lists_its_providers(machine):
    machine.package("onnxruntime_gpu", "1.32.0")
    machine.programs["python"] = answered(["CUDAExecutionProvider", "CPUExecutionProvider"])
    report = onnxruntime.probe(machine.here)
    assert report.state is State.AVAILABLE
    assert report.facts["providers"] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert report.facts["packages"] == {"onnxruntime-gpu": "1.32.0"}


def installed(folder, *packages):
    """Folders as the installation leaves them, in a cache."""
    for package in packages:
        place = folder / "web" / package.folder_name
        place.mkdir(parents=True)
        (place / "file").write_text("1234")
        made = {"integrity": package.integrity, "files": {"file": 4}}
        (place / INSTALLED).write_text(json.dumps(made))


def packages(machine):
    """What the extra `web` brings."""
    machine.package("playwright", "1.65.2")
    machine.package("onnx", "1.23.2")


@pytest.fixture
def cache(machine, tmp_path):
    machine.env["RPGEN_CACHE_DIR"] = str(tmp_path / "cache")
    return tmp_path / "cache"


def test_a_browser_without_its_driver_and_a_driver_without_a_browser(machine, cache):
    packages(machine)
    report = webgpu.probe(machine.here)
    assert report.state is State.ABSENT
    assert report.reason == "Chromium 153.0.0 and onnxruntime-web 1.30.0 aren't installed"
    assert report.remedy == "rpgen detect --install-browser"
    installed(cache, CHROMIUM, RUNTIME)
    for package in ("playwright-1.65.2", "onnx-1.23.2"):
        shutil.rmtree(machine.packages / f"{package}.dist-info")
        report = webgpu.probe(machine.here)
        assert report.state is State.UNUSABLE
        assert f"{package.partition('-')[0]}, which " in report.reason
        assert report.remedy == 'pip install "rpgen[web]"'


def test_files_that_are_torn_are_not_installed(machine, cache):
    packages(machine)
    installed(cache, CHROMIUM, RUNTIME)
    assert webnn.probe(machine.here).state is State.SOFTWARE
    (cache / "web" / RUNTIME.folder_name / "file").write_text("12")
    report = webnn.probe(machine.here)
    assert report.state is not State.SOFTWARE
    assert report.reason == "onnxruntime-web 1.30.0 isn't installed"


def test_without_a_gpu_the_browsers_adapters_are_software_and_not_available(machine, cache):
    installed(cache, CHROMIUM, RUNTIME)
    packages(machine)
    for probe in (webgpu.probe, webnn.probe):
        report = probe(machine.here)
        assert report.state is State.SOFTWARE
        assert not report.available
        assert report.reason


def test_webgpu_with_a_gpu(machine, cache):
    installed(cache, CHROMIUM, RUNTIME)
    packages(machine)
    node = machine.file("dev/dri/renderD128")
    report = webgpu.probe(machine.here)
    assert report.state is State.SOFTWARE
    assert "no Vulkan driver for a GPU is installed" in report.reason
    machine.file("usr/share/vulkan/icd.d/lvp_icd.x86_64.json")
    assert webgpu.probe(machine.here).state is State.SOFTWARE
    machine.file("etc/vulkan/icd.d/nvidia_icd.json")
    report = webgpu.probe(machine.here)
    assert report.state is State.AVAILABLE
    assert any(seen.found is None for seen in report.evidence), "the adapter is not known yet"
    device = machine.root / "sys/class/drm" / node.name / "device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to("../../drivers/vgem")
    report = webgpu.probe(machine.here)
    assert report.state is State.SOFTWARE
    assert report.reason.endswith("/dev/dri has no GPU below it, only vgem")
    assert report.remedy.startswith("RPGEN_SOFTWARE_ADAPTERS=1 takes it")


def test_wasm_is_told_with_webnn(machine, cache):
    report = wasm_of(detect(here=machine.here))
    assert report.state is State.ABSENT
    assert report.remedy == 'pip install "rpgen[web]"; rpgen detect --install-browser'
    installed(cache, CHROMIUM, RUNTIME)
    packages(machine)
    found = detect(here=machine.here)
    report = wasm_of(found)
    assert (report.state, report.reason) == (State.AVAILABLE, "")
    assert report.evidence[0].detail.startswith("Chromium 153.0.0, onnxruntime-web 1.30.0")
    assert wasm_of(from_dict(to_dict(found))) == report
    assert set(to_dict(found)["backends"]) == set(Backend)


def test_where_no_browser_is_pinned_the_systems_has_to_do(machine, cache):
    machine.system, machine.machine = "Darwin", "arm64"
    packages(machine)
    report = webgpu.probe(machine.here)
    assert "no Chromium, Chrome or Edge found" in report.reason
    machine.file("Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    report = webgpu.probe(machine.here)
    assert report.facts["browser"] == "Google Chrome"
    assert report.reason == "onnxruntime-web 1.30.0 isn't installed"
    installed(cache, RUNTIME)
    assert webgpu.probe(machine.here).state is State.AVAILABLE


def test_the_browser_that_was_named_is_taken(machine, cache):
    packages(machine)
    installed(cache, CHROMIUM, RUNTIME)
    machine.env["RPGEN_BROWSER"] = "/opt/mine/chrome"
    assert "/opt/mine/chrome, which isn't there" in webgpu.probe(machine.here).reason
    machine.file("opt/mine/chrome")
    assert webgpu.probe(machine.here).facts["browser"] == "chrome"


def test_qualcomm_needs_the_device_too(machine):
    machine.env["QNN_SDK"] = "/sdk"
    machine.file("sdk/readme")
    report = qualcomm.probe(machine.here)
    assert report.state is State.ABSENT
    assert "simulate" in report.reason
    machine.file("dev/fastrpc-cdsp")
    report = qualcomm.probe(machine.here)
    assert report.state is State.UNUSABLE
    machine.package("onnxruntime_qnn", "1.32.0")
    report = qualcomm.probe(machine.here)
    assert report.state is State.AVAILABLE
    assert report.devices[0].name == "Qualcomm Hexagon"
