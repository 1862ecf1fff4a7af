import pytest

from rpgen.hardware.packages import installed_versions, parse_torch_version, torch_build


def test_versions_are_read_from_the_names_of_metadata_folders(machine):
    machine.package("onnxruntime_gpu", "1.32.0")
    machine.package("Playwright", "1.65.2")
    machine.package("openvino_telemetry", "2025.2.0")
    (machine.packages / "old-0.1.egg-info").mkdir()
    (machine.packages / "odd-2.0-py3.11.egg-info").mkdir()
    found = installed_versions(
        ["onnxruntime-gpu", "playwright", "openvino", "old", "odd"], (str(machine.packages),)
    )
    assert found == {
        "onnxruntime-gpu": "1.32.0",
        "playwright": "1.65.2",
        "old": "0.1",
        "odd": "2.0",
    }


def test_the_first_place_on_the_path_counts(machine, tmp_path):
    first = tmp_path / "first"
    (first / "openvino-1.0.dist-info").mkdir(parents=True)
    machine.package("openvino", "2.0")
    path = ("/nowhere", str(first), str(machine.packages))
    assert installed_versions(["openvino"], path) == {"openvino": "1.0"}


def test_torch_builds(machine):
    assert torch_build((str(machine.packages),)) is None
    machine.torch("2.11.0+cu130", cuda="13.0")
    build = torch_build(("/nowhere", str(machine.packages)))
    assert build is not None
    assert (build.version, build.kind) == ("2.11.0+cu130", "CUDA 13.0")


def test_a_hip_build_is_rocm_whatever_else_it_says():
    build = parse_torch_version("__version__ = '2.13.0'\ncuda = '1'\nhip: Optional[str] = '6.4'")
    assert build is not None
    assert build.kind == "ROCm 6.4"


@pytest.mark.parametrize("text", ["", "__version__ =", "__version__ = 3", "import os; os.abort()"])
def test_a_version_file_is_read_never_run(text):
    assert parse_torch_version(text) is None
