"""`rpgen generate` and `rpgen run` in a browser, as a person starts them."""

from pathlib import Path

import pytest

from tests.system.run.conftest import Project
from tests.torch.backends.contract import SAME
from tests.torch.backends.test_run_on_backends import FAMILIES, minilm, report, rpgen

DEVICES = ("wasm", "webgpu", "webnn")
BERT = "skills/test_hf_bert_base_uncased.py"


@pytest.fixture(scope="module")
def skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    models = [word for name in FAMILIES for word in ("--model", name)]
    assert rpgen(folder, "generate", "--weights", "tiny", *models)[0] == 0
    assert rpgen(folder, "generate", "--model", minilm())[0] == 0
    return folder


def test_every_family_in_a_browser_gives_what_torch_gives(skills: Path) -> None:
    devices = "--device", ",".join(DEVICES), "--json", "report.json", "--markdown", "report.md"
    code, said = rpgen(
        skills, "run", *devices, "-k", "fresh_copy", "skills", RPGEN_SOFTWARE_ADAPTERS="1"
    )
    assert code == 0, said
    files = report(skills)["files"]
    assert len(files) == len(DEVICES) * (len(FAMILIES) + 1)
    for file in files:
        told = file["backend"]
        assert file["outcome"] == "passed"
        assert told["target"] == file["asked"]
        assert told["difference"] < SAME, file["path"]
        assert told["computed_by"].startswith(f"onnxruntime-web 1.30.0, {file['asked']}, in Chrom")
        assert told["prepare_seconds"] > 0
        assert told["run_seconds"] > 0
        provider = {"wasm": "CPU", "webgpu": "WebGpu", "webnn": "WebNN"}[file["asked"]]
        assert told["nodes"][provider] > 50
        if file["asked"] == "webgpu":
            assert told["device"]
            assert told["software"] == ("swiftshader" in told["device"])
        else:
            assert told["device"] == "CPU"
    table = (skills / "report.md").read_text("utf-8")
    assert "| file | wasm | webgpu | webnn |" in table


def test_a_browser_that_is_taken_away_skips_and_nothing_else(skills: Path, tmp_path: Path) -> None:
    run = "run", "--device", ",".join(DEVICES), "-k", "fresh_copy", "--json", "report.json", BERT
    _, said = rpgen(skills, *run, RPGEN_CACHE_DIR=str(tmp_path))
    files = report(skills)["files"]
    assert [file["outcome"] for file in files] == ["skipped"] * len(DEVICES), said
    for file in files:
        assert {test["message"] for test in file["tests"]} == {
            f"{file['asked']} was asked for: Chromium 153.0.0 and onnxruntime-web 1.30.0, to run "
            "models in a browser, can't be found (rpgen detect --install-browser)"
        }
    code, _ = rpgen(skills, *run, "--require-device", RPGEN_CACHE_DIR=str(tmp_path))
    assert code == 1
    assert [file["outcome"] for file in report(skills)["files"]] == ["error"] * len(DEVICES)


KILLED = """
import os
import signal
import threading
import torch
from rpgen import get_global_resource_pool
from rpgen.backends.web.browser import shared_browser
from rpgen.models import Checkpoint

BERT = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", "tiny")
IDS = torch.tensor([[5, 17, 33, 8]])

def model():
    return get_global_resource_pool().get_model(
        "embedding", BERT.name, constructor=BERT.load_model, hardware_preferences={"device": "wasm"}
    )

def test_before():
    assert model()(input_ids=IDS).logits.shape[:2] == (1, 4)

def harm(browser):
    for process in browser.processes[1:]:
        os.kill(process, signal.SIGSTOP)  # so that the next run is under way when it dies
    threading.Timer(0.5, browser.kill).start()

def test_killed():
    found = model()
    found(input_ids=IDS)
    harm(shared_browser())
    found(input_ids=IDS)

def test_after():
    assert model()(input_ids=IDS).logits.shape[:2] == (1, 4)
"""


def test_a_browser_killed_in_the_middle_of_a_run_costs_one_result(tmp_path: Path) -> None:
    project = Project(tmp_path)
    unharmed = KILLED.replace("    harm(shared_browser())\n", "")
    project.write(a=KILLED, b=unharmed)
    ran = project.run(".")
    outcomes = {name: test["outcome"] for name, test in ran.tests.items()}
    failed = [name for name, outcome in outcomes.items() if outcome != "passed"]
    assert failed == ["test_a.py::test_killed"], ran.out + ran.err
    assert "the browser: " in ran.tests["test_a.py::test_killed"]["message"]
    assert [file["left_behind"] for file in ran.report["files"]] == [[], []]
    assert ran.processes() == []
