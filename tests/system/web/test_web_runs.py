"""`rpgen generate` and `rpgen run` in a browser, as a person starts them."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.system.run.conftest import Project
from tests.torch.backends.contract import SAME
from tests.torch.backends.test_run_on_backends import FAMILIES, minilm, report, rpgen

DEVICES = ("wasm", "webgpu", "webnn")


SOUND = "facebook/wav2vec2-base"
FIVE = [name for name in FAMILIES if name != SOUND]
"""One of each family. The sound model's grouped convolution comes out wrong on WebGPU and can't
be prepared for WebNN with onnxruntime-web 1.30: both fail, and wasm has a test of its own."""
PARITY = "gpt2 and greedy or not gpt2 and fresh_copy"


@pytest.fixture(scope="module")
def skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    models = [word for name in FIVE for word in ("--model", name)]
    assert rpgen(folder, "generate", "--weights", "tiny", *models)[0] == 0
    assert rpgen(folder, "generate", "--model", minilm())[0] == 0
    return folder


def test_every_family_in_a_browser_gives_what_torch_gives(skills: Path) -> None:
    devices = "--device", ",".join(DEVICES), "--json", "report.json", "--markdown", "report.md"
    code, said = rpgen(skills, "run", *devices, "-k", PARITY, "skills", RPGEN_SOFTWARE_ADAPTERS="1")
    assert code == 0, said
    files = report(skills)["files"]
    assert len(files) == len(DEVICES) * (len(FIVE) + 1)
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
        assert told["software"] == _imitated(file)
        if file["model"] == "gpt2":
            assert told["cache"] == "generation with the cache of the exported decoder"
    table = (skills / "report.md").read_text("utf-8")
    assert "| file | wasm | webgpu | webnn |" in table


def _imitated(file: dict[str, Any]) -> bool:
    """Whether the processor computes in place of what was asked for."""
    told = file["backend"]
    if file["asked"] == "webgpu":
        return "swiftshader" in told["device"]
    assert told["device"] == "CPU"
    return bool(file["asked"] == "webnn")


def test_a_file_that_is_generated_for_a_browser_runs_there(skills: Path) -> None:
    for device, model in {"wasm": SOUND, "webgpu": "bert-base-uncased"}.items():
        words = "--output-dir", "there", "--weights", "tiny", "--model", model, "--device", device
        code, said = rpgen(skills, "generate", *words, RPGEN_SOFTWARE_ADAPTERS="1")
        assert code == 0, said
    run = "run", "-k", "fresh_copy", "--json", "report.json", "there"
    code, said = rpgen(skills, *run, RPGEN_SOFTWARE_ADAPTERS="1")
    assert code == 0, said
    found = {file["model"]: file for file in report(skills)["files"]}
    assert found[SOUND]["device"] == found[SOUND]["backend"]["target"] == "wasm"
    assert found["bert-base-uncased"]["backend"]["target"] == "webgpu"
    for file in found.values():
        assert file["outcome"] == "passed"
        assert file["backend"]["difference"] < SAME


TAKEN_AWAY = {
    "files": (
        "os.environ['RPGEN_CACHE_DIR'] = 'empty'",
        "Chromium 153.0.0 and onnxruntime-web 1.30.0, to run models in a browser, can't be found "
        "(rpgen detect --install-browser)",
    ),
    "playwright": (
        "os.environ['TAKEN_AWAY'] = 'playwright'",
        'playwright, which drives the browser, isn\'t installed (pip install "rpgen[web]")',
    ),
    "onnx": (
        "os.environ['TAKEN_AWAY'] = 'onnx'",
        'onnx, which a model is exported with, isn\'t installed (pip install "rpgen[web]")',
    ),
    "adapter": (
        "os.environ.pop('RPGEN_SOFTWARE_ADAPTERS')",
        "the only WebGPU adapter is google swiftshader, which is software "
        "(RPGEN_SOFTWARE_ADAPTERS=1 takes it; a real one needs a GPU and its driver)",
    ),
}
"""What a file does before it begins, and what is said then. The last one lets the other two run:
what they have loaded would be there for whoever comes after them."""

NOT_INSTALLED = """
import functools, importlib.machinery, os
finder = importlib.machinery.PathFinder
find = finder.find_spec
def find_spec(name, *rest):
    return None if name == os.environ.get("TAKEN_AWAY") else find(name, *rest)
finder.find_spec = functools.partial(find_spec)  # a function would become a method with pytest
"""
"""What Python runs when it starts: a package that a variable names can't be found."""


@pytest.fixture(scope="module")
def lacking(skills: Path) -> Path:
    """A file for each thing that is taken away, so that one process does for all of them."""
    file = (skills / "skills" / "test_hf_bert_base_uncased.py").read_text("utf-8")
    for number, (name, (harm, _)) in enumerate(TAKEN_AWAY.items()):
        path = skills / "lacking" / f"test_{number}_without_{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"import os\n{harm}\n{file}", "utf-8")
    (skills / "sitecustomize.py").write_text(NOT_INSTALLED)
    return skills


@pytest.mark.parametrize("required", [False, True])
def test_what_is_taken_away_skips_and_nothing_else(lacking: Path, required: bool) -> None:
    options = ["--require-device"] if required else []
    run = "run", "--device", ",".join(DEVICES), "-k", "fresh_copy", "--json", "report.json"
    environment = {"RPGEN_SOFTWARE_ADAPTERS": "1", "PYTHONPATH": _first(lacking)}
    code, said = rpgen(lacking, *run, *options, "lacking", **environment)
    files = report(lacking)["files"]
    assert len(files) == len(TAKEN_AWAY) * len(DEVICES)
    for file in files:
        name = file["path"].partition("without_")[2].partition(".")[0]
        if name == "adapter" and (file["asked"] != "webgpu" or _has_a_gpu(file)):
            assert file["outcome"] == "passed", said
            continue
        assert file["outcome"] == ("error" if required else "skipped"), said
        words = f"{file['asked']} was asked for: {TAKEN_AWAY[name][1]}"
        messages = {test["message"] for test in file["tests"]}
        assert all(words in message if required else words == message for message in messages)
        assert messages
    assert code == int(required)


def _first(folder: Path) -> str:
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def _has_a_gpu(file: dict[str, Any]) -> bool:
    return "swiftshader" not in file["backend"].get("device", "swiftshader")


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
