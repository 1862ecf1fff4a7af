"""Runs over files that take models from the pool: what every report line states."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rpgen.run.events import MemorySample, ModelLoaded
from rpgen.run.journal import read
from tests.system.run.conftest import ROOT, Project

TEST = """
import unittest

import torch

from rpgen import get_global_resource_pool
from rpgen.models import Checkpoint

CHECKPOINT = Checkpoint("{name}", model_type="{model_type}", weights="{weights}")


class TestModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pool = get_global_resource_pool()
        cls.model = pool.get_model("{family}", CHECKPOINT.name, constructor=CHECKPOINT.load_model)

    @classmethod
    def tearDownClass(cls):
        print(f"Resource pool stats: {{get_global_resource_pool().summary()}}")

    def test_is_a_model(self):
        self.assertGreater(sum(p.numel() for p in self.model.parameters()), 0)
{more}
"""


def source(name: str, model_type: str, family: str, weights: str = "tiny", more: str = "") -> str:
    return TEST.format(name=name, model_type=model_type, family=family, weights=weights, more=more)


BERT = source("bert-base-uncased", "bert", "embedding")


@pytest.fixture(autouse=True)
def _empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub"))


def test_models_are_shared_and_every_file_says_what_it_got(project: Project) -> None:
    keeps = "    def test_keeps(self):\n        self.fail('on purpose')\n"
    project.write(
        a=BERT,
        b=source("bert-base-uncased", "bert", "embedding", more=keeps),
        c=source("gpt2", "gpt2", "text_generation"),
        d=source("nowhere/at-all", "bert", "embedding", weights="pretrained"),
        e="def test_plain():\n    pass\n",
    )
    ran = project.run(".", "--device", "cuda:7")
    files = ran.files
    for name, model, family in (
        ("a", "bert-base-uncased", "embedding"),
        ("b", "bert-base-uncased", "embedding"),
        ("c", "gpt2", "text_generation"),
    ):
        file = files[f"test_{name}.py"]
        assert (file["model"], file["family"]) == (model, family)
        assert (file["weights"], file["dtype"]) == ("tiny", "fp32")
        assert file["device"] is not None
        assert file["memory"]["predicted_mb"] > 0
        assert file["memory"]["peak_mb"] is not None
        assert "cuda was asked for" in file["degraded"] or "cuda:7" in file["degraded"]
    assert files["test_a.py"]["load_seconds"] > 0
    assert files["test_b.py"]["load_seconds"] == 0  # loaded by the first
    # a model that can't be had is a failure, with the reason
    assert {test["outcome"] for test in files["test_d.py"]["tests"]} == {"error"}
    assert "nowhere/at-all" in files["test_d.py"]["tests"][0]["message"]
    assert files["test_e.py"]["device"] is None
    assert ran.code == 1
    pool = ran.report["pool"]
    assert (pool["hits"], pool["cached_models"]) == (1, 2)
    assert not any(facts["in_use"] for facts in pool["models"].values())
    assert "tiny fp32 on" in ran.out
    said = project.stats().out
    assert "embedding:bert-base-uncased" in said
    assert "1 hits" in said
    assert ran.report["versions"]["torch"]
    journal = list(read(ran.state / "journal.jsonl"))
    loads = [event for event in journal if isinstance(event, ModelLoaded)]
    assert [(load.key, load.path) for load in loads] == [
        ("embedding:bert-base-uncased", "test_a.py"),
        ("text_generation:gpt2", "test_c.py"),
    ]
    assert all(load.measured_mb and load.predicted_mb for load in loads)
    first = next(event for event in journal if isinstance(event, MemorySample))
    assert first.used_mb["cpu"] > 20


def test_weights_can_be_told_to_a_run(project: Project) -> None:
    project.write(a=source("bert-base-uncased", "bert", "embedding", weights="pretrained"))
    assert project.run(".").code == 1
    ran = project.run(".", "--weights", "tiny")
    assert ran.code == 0
    assert ran.files["test_a.py"]["weights"] == "tiny"


def test_bare_pytest_lets_go_of_models_between_files(project: Project) -> None:
    look = "    def test_others(self):\n        pool = get_global_resource_pool()\n"
    look += "        used = {k for k, f in pool.get_stats()['models'].items() if f['in_use']}\n"
    look += "        self.assertEqual(used, {'text_generation:gpt2'})\n"
    project.write(a=BERT, b=source("gpt2", "gpt2", "text_generation", more=look))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:rpgen"]
    command += ["-p", "rpgen.run.pytest_plugin", "--import-mode=importlib", "."]
    ran = subprocess.run(
        command,
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_the_plugin_imports_neither_torch_nor_the_pool(project: Project) -> None:
    project.write(
        a="import sys\ndef test_a():\n"
        "    assert 'rpgen.run.pytest_plugin' in sys.modules\n"
        "    assert not {'torch', 'rpgen.resource_pool', 'rpgen.pool'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:rpgen"]
    ran = subprocess.run(
        [*command, "-p", "rpgen.run.pytest_plugin", "."],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_a_project_that_treats_warnings_as_errors(project: Project) -> None:
    """Its setting is for its tests, not for how the worker starts."""
    project.write(a=BERT)
    (project.folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n'
    )
    ran = project.run(".")
    assert ran.code == 0, ran.stderr
    assert ran.files["test_a.py"]["outcome"] == "passed"
