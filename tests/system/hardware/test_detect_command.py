"""`rpgen detect` as it is typed: the guide's block, the integration check, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rpgen


def detect(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = str(Path(rpgen.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "rpgen", "detect", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **env},
        cwd=cwd,
        timeout=300,
        check=False,
    )


def test_the_guides_block_is_all_that_model_prints(tmp_path):
    done = detect("--model", "bert-base-uncased", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Model: bert-base-uncased"
    assert lines[1].startswith("  Family: embedding (confidence: ")
    assert [line.partition(":")[0].strip() for line in lines[2:7]] == [
        "Optimal Hardware",
        "PyTorch Device",
        "Hardware Priority",
        "Recommended Template",
        "Hardware Compatibility",
    ]
    for line in lines[7:]:
        backend, _, rest = line.strip().partition(": ")
        own, _, others = rest.partition(" (System: ")
        system, _, effective = others.rstrip(")").partition(", Effective: ")
        assert backend in {"cuda", "rocm", "mps", "openvino", "webnn", "webgpu"}
        assert effective == ("✅" if own == system == "✅" else "❌")


@pytest.mark.parametrize(
    "name", ["", "   ", "a/../b", "a\nb", 'x"y', "{{x}}", "x" * 300, "-x", "a b"]
)
def test_a_bad_model_name_is_one_sentence(tmp_path, name):
    done = detect(f"--model={name}", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_the_optional_path_also_before_another_option(tmp_path):
    done = detect("--hw-cache", "--json", cwd=tmp_path, RPGEN_HOST_NAME="typed")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["host"]["name"] == "typed"
    assert (tmp_path / "hardware_cache.json").is_file()
    done = detect("--hw-cache", "./other.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "other.json").is_file()


def test_the_environment_names_the_inventory(tmp_path):
    done = detect(cwd=tmp_path, HARDWARE_DETECTION_CACHE="here.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.json").is_file()


def test_an_inventory_that_can_not_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for path, code in ((tmp_path, 5), (tmp_path / "file" / "x.json", 6)):
        done = detect("--hw-cache", str(path), cwd=tmp_path)
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stderr


def test_the_integration_check(tmp_path):
    done = detect("--check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0].split(None, 1)[1] for line in lines[:5]] == [
        "required parts",
        "resource pool",
        "hardware detection",
        "model classification",
        "all together",
    ]
    assert all(line.startswith("ok ") for line in lines[:5])
    assert list(tmp_path.iterdir()) == [], "the check leaves nothing behind"


def test_the_committed_inventory_is_whole_and_tells_nothing_of_a_machine():
    from rpgen.hardware.cache import load
    from rpgen.hardware.types import Backend

    path = Path(rpgen.__file__).parents[1] / "hardware_cache.json"
    if not path.exists():
        pytest.skip("an installed rpgen has no inventory beside it")
    inventory, warning = load(path)
    assert warning is None
    host = inventory.hosts["linux-cpu"]
    assert host.report(Backend.CPU).available
    assert not host.report(Backend.CUDA).available
    text = path.read_text(encoding="utf-8")
    assert "/home" not in text
    assert str(Path.home()) not in text
