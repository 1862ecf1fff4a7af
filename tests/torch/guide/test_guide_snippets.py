"""Scripts written for the resource pool guide run once their imports are prefixed by `rpgen.`.

`snippets/` holds the guide's Python in its own words, one file a snippet, with nothing changed
but the imports. What a snippet leaves out (a constructor's body, an import) is in SURROUNDINGS.
The models are small checkpoints in a local hub cache under the guide's ids.
"""

import ast
import logging
import runpy
import shutil
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

import rpgen
from rpgen.resource_pool import get_global_resource_pool
from tests.checkpoints import hub_cache

SNIPPETS = Path(__file__).parent / "snippets"
IDS = {
    "bert-base-uncased": ("bert", "AutoModelForMaskedLM"),
    "gpt2": ("gpt2", "AutoModelForCausalLM"),
    "t5-small": ("t5", "AutoModelForSeq2SeqLM"),
    "vit-base-patch16-224": ("vit", "AutoModelForImageClassification"),
}
RUN_APART = {"07_example", "18_runner_script"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    hub_cache(folder, IDS)
    return folder


@pytest.fixture(autouse=True)
def _guide_models(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guide's ids resolve to the small checkpoints, and the shared pool starts empty."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    get_global_resource_pool().clear()
    yield
    get_global_resource_pool().clear()
    get_global_resource_pool().disable_low_memory_mode()


def surroundings() -> dict[str, Any]:
    """What the guide's snippets take for granted."""

    def bert() -> Any:
        return transformers.AutoModel.from_pretrained("bert-base-uncased")

    def gpt2() -> Any:
        return transformers.AutoModelForCausalLM.from_pretrained("gpt2")

    def vit() -> Any:
        return transformers.AutoModelForImageClassification.from_pretrained("vit-base-patch16-224")

    return {
        "AutoModel": transformers.AutoModel,
        "AutoModelForCausalLM": transformers.AutoModelForCausalLM,
        "AutoModelForImageClassification": transformers.AutoModelForImageClassification,
        "create_llama_model": gpt2,
        "create_bert_model": bert,
        "create_vision_model": vit,
        "get_global_resource_pool": get_global_resource_pool,
        "pool": get_global_resource_pool(),
        "logger": logging.getLogger("guide"),
        "__file__": str(Path(rpgen.__file__).parent / "guide.py"),
    }


def run_snippet(name: str) -> dict[str, Any]:
    path = SNIPPETS / f"{name}.py"
    namespace = {"__name__": "guide", **surroundings()}
    exec(compile(path.read_text("utf-8"), str(path), "exec"), namespace)
    return namespace


NAMES = sorted(path.stem for path in SNIPPETS.glob("*.py"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in RUN_APART])
def test_a_snippet_runs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """To its end, and neither it nor the pool logged an error."""
    run_snippet(name)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_same_model_and_tokenizer_are_shared() -> None:
    first = run_snippet("01_basic_usage")
    assert first["stats"]["cached_models"] == 1
    assert first["stats"]["cached_tokenizers"] == 1
    assert first["pool"].get_stats()["cached_models"] == 0, "the snippet ends with clear()"


def test_preferences_decide_and_devices_are_separate_requests() -> None:
    found = run_snippet("05_manual_hardware_preferences")
    assert str(found["cpu_model"].device) == "cpu"
    assert found["pool"].get_stats()["cached_models"] >= 1


def test_statistics_say_what_the_guide_prints(capsys: pytest.CaptureFixture[str]) -> None:
    run_snippet("01_basic_usage")
    pool = get_global_resource_pool()
    pool.get_model("embedding", "bert-base-uncased", surroundings()["create_bert_model"])
    capsys.readouterr()
    run_snippet("06_memory_tracking")
    printed = capsys.readouterr().out
    assert "Total memory usage: " in printed
    assert "System memory: " in printed
    assert "Model embedding:bert-base-uncased" in printed
    assert "method: unknown" not in printed


def test_the_environment_turns_low_memory_mode_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESOURCE_POOL_LOW_MEMORY", "0")  # put back afterwards
    assert not get_global_resource_pool().low_memory_mode
    assert run_snippet("12_low_memory_mode")["pool"].low_memory_mode


def test_an_opaque_constructor_may_return_anything() -> None:
    assert run_snippet("14_integration")["model"] is ...


def test_the_best_device_comes_from_detection(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="guide"):
        device = run_snippet("09_best_device")["get_best_device"]()
    assert device == "cpu"
    assert "comprehensive hardware detection: cpu" in caplog.text


def test_three_models_are_distributed() -> None:
    found = run_snippet("17_multi_gpu_distribution")
    assert found["pool"].get_stats()["cached_models"] == 3


def test_the_example_test_passes() -> None:
    namespace = runpy.run_path(str(SNIPPETS / "07_example.py"), run_name="guide_example")
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(namespace["TestBertEmbedding"])
    result = unittest.TestResult()
    tests.run(result)
    assert result.testsRun == 2
    assert result.wasSuccessful(), result.failures + result.errors


def test_the_runner_script_runs_file_after_file(tmp_path: Path, cache: Path) -> None:
    """In a process of its own: it calls each file's main() and shares one pool.

    With tiny weights: the checkpoints under the well-known ids are not the trained ones, and
    the tests would notice.
    """
    models = [word for name in ("bert-base-uncased", "gpt2", "t5-small") for word in ("-m", name)]
    generate = [sys.executable, "-m", "rpgen", "generate", *models, "--output-dir", "skills"]
    environment = {"HF_HUB_CACHE": str(cache), "RPGEN_WEIGHTS": "tiny"}
    made = _run(generate, tmp_path, environment)
    assert made.returncode == 0, made.stderr
    skills = tmp_path / "skills"
    shutil.copy(skills / "test_hf_gpt2.py", skills / "test_hf_gpt2_again.py")
    done = _run([sys.executable, str(SNIPPETS / "18_runner_script.py")], tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Completed ./skills/test_hf_") == 4
    assert done.stderr.count("\nOK") == 4, done.stderr
    stats = ast.literal_eval(done.stdout.rpartition("ResourcePool stats: ")[2])
    assert stats["cached_models"] == 3
    assert stats["loads_avoided"] >= 2  # model and tokenizer of the second file of gpt2
    assert "Using hardware preferences for gpt2: {'priority_list': ['cuda', 'cpu']}" in done.stdout


def _run(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    import os

    variables = {**os.environ, "PYTHONPATH": str(Path(rpgen.__file__).parents[1]), **environment}
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
