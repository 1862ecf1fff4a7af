"""The plan before anything is loaded, and a run under a budget that is too small for all."""

import json
from pathlib import Path

import pytest

from rpgen.run.events import Event, FileStarted, ModelEvicted, ModelLoaded
from rpgen.run.journal import read
from tests.system.run.conftest import Project
from tests.torch.run.test_run_with_models import source

NAMES = "abcd"
FORWARD = """
    def test_forward(self):
        with torch.inference_mode():
            self.model(input_ids=torch.arange(1, 65)[None])
        note("VmHWM")  # the runner resets it before each file
"""
RESIDENT = """
from pathlib import Path

import transformers.models.bert.modeling_bert


def note(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    size = next(int(line.split()[1]) for line in lines if line.startswith(name))
    with Path(__file__).with_name("resident.txt").open("a") as file:
        file.write(f"{size / 1024}\\n")


note("VmRSS")
"""


def checkpoint(folder: Path, words: int) -> Path:
    """About 1.5 MB for a thousand words, and 12 MB, in fp32."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=words, hidden_size=384, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=768, max_position_embeddings=128,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four checkpoints of about 41 MB."""
    made = tmp_path_factory.mktemp("models")
    return {name: checkpoint(made / f"bert-{name}", 20_000) for name in NAMES}


@pytest.fixture(autouse=True)
def _nothing_measured_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peaks of other runs would be the prediction."""
    monkeypatch.setenv("RPGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub"))


def write(project: Project, folders: dict[str, Path], order: str) -> None:
    for number, name in enumerate(order):
        text = source(str(folders[name]), "bert", "embedding", "pretrained", FORWARD)
        project.put(f"test_{number}_{name}.py", RESIDENT + text)


BUDGET = 140.0
"""Three of the models, and 17 MB that the first run of a process may take beside its model."""


@pytest.mark.parametrize("order", ["path", "reuse"])
def test_loads_are_those_of_the_plan_and_the_peak_stays_within_the_budget(
    order: str, project: Project, folders: dict[str, Path]
) -> None:
    write(project, folders, "abcdabcdba")
    arguments = (".", "--order", order, "--memory-budget", f"{BUDGET:g}MB")
    plan = json.loads(project.run(*arguments, "--plan", "--json", "-").out)
    ran = project.run(*arguments)
    assert ran.code == 0, ran.out
    journal = list(read(ran.state / "journal.jsonl"))
    assert [step["path"] for step in plan["steps"]] == [
        event.path for event in journal if isinstance(event, FileStarted)
    ]
    planned = [step["path"] for step in plan["steps"] if step["loads"]]
    assert [event.path for event in journal if isinstance(event, ModelLoaded)] == planned
    assert len(planned) < 10
    evicted = [gone["key"] for step in plan["steps"] for gone in step["evicted"]]
    assert [event.key for event in journal if isinstance(event, ModelEvicted)] == evicted
    assert (len(planned) == 4) == (order == "reuse")
    assert plan["peak_mb"]["cpu"] <= BUDGET

    assert max(_held(journal)) <= BUDGET
    base, *peaks = map(float, (project.folder / "resident.txt").read_text().split())
    assert max(peaks) - base <= BUDGET


def test_models_of_several_sizes_go_as_planned_and_with_the_fewest_loads(
    project: Project, tmp_path: Path
) -> None:
    """The furthest next use would take 7 loads here, least recently used 8."""
    words = {"a": 12_000, "b": 32_000, "c": 32_000, "d": 12_000}  # 30 and 60 MB
    made = {name: checkpoint(tmp_path / f"bert-{name}", size) for name, size in words.items()}
    write(project, made, "bdacbdab")
    arguments = (".", "--order", "path", "--memory-budget", "110MB")
    plan = json.loads(project.run(*arguments, "--plan", "--json", "-").out)
    ran = project.run(*arguments)
    assert ran.code == 0, ran.out
    journal = list(read(ran.state / "journal.jsonl"))
    planned = [step["path"] for step in plan["steps"] if step["loads"]]
    assert [event.path for event in journal if isinstance(event, ModelLoaded)] == planned
    assert len(planned) == 6
    evicted = [gone["key"] for step in plan["steps"] for gone in step["evicted"]]
    assert [event.key for event in journal if isinstance(event, ModelEvicted)] == evicted
    assert max(_held(journal)) <= 110


def _held(journal: list[Event]) -> list[float]:
    """What the pool held after each change, in MB."""
    held: dict[str, float] = {}
    sums = []
    for event in journal:
        match event:
            case ModelLoaded():
                held[event.key] = event.measured_mb or 0.0
            case ModelEvicted():
                del held[event.key]
        sums.append(sum(held.values()))
    return sums


def test_a_plan_says_what_cannot_run(project: Project, folders: dict[str, Path]) -> None:
    write(project, folders, "ab")
    project.write(
        gone=source("nowhere/at-all", "bert", "embedding", "pretrained"),
        plain="def test_plain():\n    pass\n",
    )
    ran = project.run(".", "--plan", "--memory-budget", "20")
    assert ran.code == 10
    assert "fits nowhere" in ran.out
    assert "nowhere/at-all can't be had" in ran.out
    assert not (project.folder / ".rpgen").exists()


def test_a_plan_for_another_host(project: Project, folders: dict[str, Path]) -> None:
    """One that the inventory knows has two accelerators; nothing is asked of this machine."""
    from rpgen.hardware.cache import store
    from rpgen.hardware.types import (
        Backend,
        BackendReport,
        Device,
        HardwareSnapshot,
        HostIdentity,
        State,
    )

    devices = (
        Device(Backend.CUDA, 0, "small", "cuda:0", 600.0, dtypes=("fp32", "fp16")),
        Device(Backend.CUDA, 1, "large", "cuda:1", 8000.0, dtypes=("fp32", "fp16")),
    )
    report = BackendReport(Backend.CUDA, State.AVAILABLE, devices=devices)
    host = HostIdentity("farm", "Linux", "x86_64")
    snapshot = HardwareSnapshot(host, {Backend.CUDA: report}, 8, 64_000.0)
    store(project.folder / "hardware_cache.json", snapshot)
    write(project, folders, "aabb")
    arguments = (".", "--plan", "--host", "farm", "--json", "-")
    plan = json.loads(project.run(*arguments).out)
    assert plan["host"] == "farm"
    assert {step["device"] for step in plan["steps"]} <= {"cuda:0", "cuda:1"}
    assert (plan["loads"], plan["evictions"]) == (2, 0)
    unknown = project.run(".", "--plan", "--host", "nobody")
    assert (unknown.code, "farm" in unknown.err) == (2, True)
    assert project.run(".", "--host", "farm").code == 2
