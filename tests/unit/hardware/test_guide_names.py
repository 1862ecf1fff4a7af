"""The guide's names for detection, on machines made of data."""

import pytest

from rpgen import hardware_detection as guide
from rpgen.hardware import cache
from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
)

CPU = BackendReport(
    Backend.CPU,
    State.AVAILABLE,
    devices=(Device(Backend.CPU, 0, "Example", "cpu", 65536.0),),
    facts={
        "architecture": "x86_64",
        "processor": "Example",
        "cores": {"logical": 8, "physical": 4},
        "instructions": {"sse": True, "avx": True, "avx2": True, "avx512": False},
    },
)


def gpu(index: int, name: str, total_mb: float) -> Device:
    return Device(Backend.CUDA, index, name, f"cuda:{index}", total_mb, capability=(9, 0))


TWO_GPUS = BackendReport(
    Backend.CUDA,
    State.AVAILABLE,
    devices=(gpu(0, "Big", 81920.0), gpu(1, "Small", 16384.0)),
    facts={"driver_version": "580.1", "cuda_version": "13.0", "cudnn_version": "9.1"},
)
UNUSABLE = BackendReport(
    Backend.CUDA,
    State.UNUSABLE,
    devices=(gpu(0, "Big", 81920.0),),
    reason="Big found, but torch is built for CPU",
    remedy="install a CUDA build",
)
APPLE = BackendReport(
    Backend.MPS, State.AVAILABLE, devices=(Device(Backend.MPS, 0, "M4", "mps", 65536.0),)
)
SOFTWARE = BackendReport(Backend.WEBGPU, State.SOFTWARE, reason="a software adapter")
OPENVINO = BackendReport(
    Backend.OPENVINO,
    State.AVAILABLE,
    devices=(Device(Backend.OPENVINO, 0, "Example", facts={"openvino_device": "CPU"}),),
    facts={"devices": ["CPU"], "version": "2026.4.1"},
)


@pytest.fixture
def on(monkeypatch):
    """Makes this machine one with the given backends; returns how often it was asked."""
    asked = []

    def become(*reports):
        host = HostIdentity("example", "Linux", "x86_64")
        backends = {report.backend: report for report in (CPU, *reports)}
        found = HardwareSnapshot(host, backends, 8, 65536.0, python_version="3.12.1")

        def snapshot(path, *, refresh=False, **others):
            asked.append((path, refresh))
            return found

        monkeypatch.setattr(cache, "snapshot", snapshot)
        return asked

    return become


def test_the_constants_are_their_lower_case_strings():
    for backend in Backend:
        constant = getattr(guide, backend.name)
        assert constant == backend.name.lower()
        assert f"{constant}" == backend.name.lower()
    assert guide.QUALCOMM == "qualcomm"


def test_the_dictionary_has_the_promised_keys(on):
    on(TWO_GPUS)
    found = guide.detect_available_hardware()
    promised = {
        "hardware",
        "details",
        "errors",
        "best_available",
        "torch_device",
        "priority_list",
        "preferred_device_index",
        "system",
    }
    assert promised <= set(found)
    assert set(found["hardware"]) == {str(backend) for backend in Backend}
    assert {name: found[name] for name in found["hardware"]} == found["hardware"]
    assert set(found["system"]) >= {
        "platform",
        "os",
        "os_version",
        "python_version",
        "cpu_count",
        "architecture",
        "available_memory",
    }
    cuda = found["details"]["cuda"]
    assert (cuda["device_count"], cuda["current_device"]) == (2, 0)
    assert cuda["devices"][0]["total_memory"] == 80, "GB, as the guide's scripts read it"
    assert cuda["devices"][0]["compute_capability_major"] == 9
    assert cuda["devices"][0]["has_tensor_cores"] is True
    assert (cuda["cuda_version"], cuda["cudnn_version"]) == ("13.0", "9.1")
    cpu = found["details"]["cpu"]
    assert cpu["cores"] == {"logical": 8, "physical": 4}
    assert cpu["avx2_support"] is True
    assert cpu["memory"]["unit"] == "MB"
    assert found["details"]["mps"]["reason"], "what is absent says why"


def test_plain_python_values(on):
    import json

    on(TWO_GPUS, SOFTWARE, OPENVINO)
    found = guide.detect_available_hardware()
    assert json.loads(json.dumps(found))["best_available"] == "cuda"


def test_the_guides_multi_gpu_lines(on):
    on(TWO_GPUS)
    detector = guide.HardwareDetector()
    assert detector.is_available(guide.CUDA)
    assert detector.get_hardware_details()[guide.CUDA]["device_count"] > 1


def test_unusable_and_software_are_not_available(on):
    on(UNUSABLE, SOFTWARE)
    detector = guide.HardwareDetector()
    assert not detector.is_available("cuda")
    assert not detector.is_available("webgpu")
    assert not detector.is_available("no such thing")
    assert detector.get_best_available_hardware() == "cpu"
    assert detector.get_torch_device() == "cpu"
    assert "install a CUDA build" in detector.get_errors()["cuda"]
    details = detector.get_hardware_details()
    assert details["cuda"]["device_count"] == 0
    assert details["cuda"]["unusable_devices"][0]["name"] == "Big"
    assert "software" in details["webgpu"]["reason"]


def test_indexes_and_priorities(on):
    on(TWO_GPUS)
    detector = guide.HardwareDetector()
    assert detector.get_torch_device() == "cuda"
    assert detector.get_device_with_index(1) == "cuda:1"
    assert detector.get_device_with_index(7) == "cuda:0", "an index that is not there"
    assert detector.get_device_with_index(-1) == "cuda:0"
    assert detector.get_hardware_by_priority(["mps", "cpu", "cuda"]) == "cpu"
    assert detector.get_torch_device_with_priority(["cpu", "cuda"]) == "cpu"
    assert detector.get_torch_device_with_priority(["mps", "cuda"], 1) == "cuda:1"
    assert detector.get_torch_device_with_priority([]) == "cpu"
    assert detector.get_hardware_by_priority(["nonsense"]) == "cpu"
    found = guide.detect_available_hardware(priority_list=["mps", "cuda"], preferred_device_index=1)
    assert (found["best_available"], found["torch_device"]) == ("cuda", "cuda:1")
    assert found["priority_list"] == ["mps", "cuda"]


def test_a_mac(on):
    on(APPLE)
    detector = guide.HardwareDetector()
    assert detector.get_torch_device() == "mps"
    assert detector.get_device_with_index(1) == "mps"


def test_openvino_is_best_available_but_torch_stays_on_the_cpu(on):
    on(OPENVINO)
    detector = guide.HardwareDetector()
    assert detector.get_best_available_hardware() == "openvino"
    assert detector.get_torch_device() == "cpu"
    assert detector.get_hardware_info("openvino")["device_names"] == {"CPU": "Example"}


def test_requirements(on):
    on(TWO_GPUS, OPENVINO)
    detector = guide.HardwareDetector()
    assert detector.get_compatible_hardware_types({}) == ["cpu", "cuda", "openvino"]
    forbidden = {"openvino": {"compatible": False}}
    assert detector.get_compatible_hardware_types(forbidden) == ["cpu", "cuda"]
    needs = {"memory_requirements": {"cuda": 40}}
    assert "cuda" in detector.get_compatible_hardware_types(needs)
    needs = {"memory_requirements": {"cuda": 100}}
    assert "cuda" not in detector.get_compatible_hardware_types(needs)


def test_the_cache_file_comes_from_the_caller_or_the_environment(on, monkeypatch, tmp_path):
    asked = on()
    guide.HardwareDetector(cache_file=str(tmp_path / "a.json"), force_refresh=True)
    monkeypatch.setenv("HARDWARE_DETECTION_CACHE", str(tmp_path / "b.json"))
    guide.detect_available_hardware()
    guide.detect_available_hardware(force_refresh=True)
    assert asked == [
        (tmp_path / "a.json", True),
        (tmp_path / "b.json", False),
        (tmp_path / "b.json", True),
    ]


def test_comprehensive_checks_have_the_old_top_level_keys(on):
    on(UNUSABLE, OPENVINO)
    found = guide.detect_hardware_with_comprehensive_checks()
    assert found["cpu"] is True
    assert found["cuda"] is False
    assert "built for CPU" in found["cuda_error"]
    assert found["openvino_version"] == "2026.4.1"
    assert found["torch_device"] == "cpu"


def test_the_summary_is_printed(on, capsys):
    on(UNUSABLE)
    guide.HardwareDetector().print_summary(detailed=True)
    said = capsys.readouterr().out
    assert "Available hardware: cpu" in said
    assert "Big found" in said


def test_the_priority_list_is_a_copy():
    guide.get_hardware_priority_list().clear()
    assert guide.get_hardware_priority_list()[0] == "cuda"


@pytest.mark.parametrize(
    ("reports", "family", "device"),
    [
        ((), "embedding", "cpu"),
        ((TWO_GPUS,), "text_generation", "cuda:0"),
        ((APPLE,), "embedding", "mps"),
        ((APPLE,), "llama", "cpu"),
        ((APPLE,), "no such family", "mps"),
        ((APPLE,), None, "mps"),
    ],
)
def test_recommended_device(on, reports, family, device):
    on(*reports)
    assert guide.get_recommended_device(family) == device


def test_compatibility_of_a_model_can_be_given_to_the_pool(on):
    from rpgen.placement.preferences import parse

    on(TWO_GPUS)
    found = guide.get_model_hardware_compatibility("bert-base-uncased")
    assert found["cuda"]["compatible"]
    assert found["cuda"]["effective"]
    assert found["mps"]["compatible"]
    assert not found["mps"]["effective"]
    understood = parse({"hw_compatibility": found}).compatibility
    assert understood[Backend.CUDA].compatible


def test_a_model_by_name_gets_a_device(on):
    on(APPLE)
    assert guide.get_recommended_device(model_name="bert-base-uncased") == "mps"
