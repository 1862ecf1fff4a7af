"""Who takes which file when, and what each worker has of the machine."""

import json
import sys
import unittest
from pathlib import Path

import pytest

from rpgen.hardware.types import (
    Backend,
    BackendReport,
    Device,
    HardwareSnapshot,
    HostIdentity,
    State,
)
from rpgen.run.channel import RunFile
from rpgen.run.file_facts import FileFacts
from rpgen.run.plan import Plan, make_plan
from rpgen.run.rehearsal import as_last_time, rehearse
from rpgen.run.schedule import Job, Target
from rpgen.run.share import Ledger, other_machine, resources_of, shares


def rehearsed(names: str, slots: int, isolate: bool = False, **seconds: float) -> list[str]:
    """Files `a0`, `b1`, ... by their model's letter, each with the number of its worker."""
    tasks = [RunFile(f"/{n}", f"{letter}{n}") for n, letter in enumerate(names)]
    keys = {task.name: task.name[0] for task in tasks}
    times = as_last_time([task.name for task in tasks], seconds)
    return [f"{slot}:{task.name}" for slot, task in rehearse(tasks, keys, slots, times, isolate)]


def test_one_worker_has_them_in_their_order() -> None:
    assert rehearsed("abab", 1) == ["0:a0", "0:b1", "0:a2", "0:b3"]
    assert rehearsed("abab", 1, isolate=True) == ["0:a0", "0:b1", "0:a2", "0:b3"]
    assert rehearsed("", 2) == []


def test_models_stay_with_their_worker() -> None:
    assert rehearsed("aaabbb", 2) == ["0:a0", "1:b3", "0:a1", "1:b4", "0:a2", "1:b5"]


def test_who_is_quick_takes_more() -> None:
    found = rehearsed("abcde", 2, a0=10.0, b1=1.0, c2=1.0, d3=1.0, e4=1.0)
    assert found == ["0:a0", "1:b1", "1:c2", "1:d3", "1:e4"]


def test_every_file_begins_once() -> None:
    for slots in (1, 2, 3, 7):
        for isolate in (False, True):
            found = rehearsed("abcabcaaaadddbe", slots, isolate)
            assert sorted(name.partition(":")[2] for name in found) == sorted(
                f"{letter}{n}" for n, letter in enumerate("abcabcaaaadddbe")
            )


def test_files_that_are_new_take_as_long_as_the_others() -> None:
    took = as_last_time(["a", "b", "new"], {"a": 2.0, "b": 4.0, "gone": 100.0})
    assert (took("a"), took("new")) == (2.0, 3.0)
    assert as_last_time(["x"], {})("x") == 1.0


def machine_with(*gpus_mb: float, host_mb: float = 64_000.0) -> HardwareSnapshot:
    devices = tuple(
        Device(Backend.CUDA, i, f"GPU {i}", f"cuda:{i}", mb, dtypes=("fp32",))
        for i, mb in enumerate(gpus_mb)
    )
    state = State.AVAILABLE if devices else State.ABSENT
    report = BackendReport(Backend.CUDA, state, devices=devices)
    host = HostIdentity("farm", "Linux", "x86_64")
    return HardwareSnapshot(host, {Backend.CUDA: report}, 8, host_mb)


def test_each_worker_sees_its_devices_under_numbers_of_its_own() -> None:
    machine = other_machine(machine_with(8000, 9000, 10_000))
    here = resources_of(machine, None)
    assert here.accelerators == ("0", "1", "2")
    first, second = shares(machine, 2, here, {"RPGEN_MEMORY_BUDGET": "1000"})
    seen = [
        [(d.torch_device, d.total_mb) for d in share.snapshot.devices(Backend.CUDA)]
        for share in (first, second)
    ]
    assert seen == [[("cuda:0", 8000), ("cuda:1", 10_000)], [("cuda:0", 9000)]]
    assert (first.real_name("cuda:1"), second.real_name("cuda:0")) == ("cuda:2", "cuda:1")
    assert (first.real_name("cpu"), first.budgets) == ("cpu", {"cpu": 500.0})
    assert resources_of(machine, "cpu").accelerators == ()


def test_several_workers_on_one_device_take_from_the_same_memory() -> None:
    machine = other_machine(machine_with(8000))
    alone = Ledger(machine, shares(machine, 1, resources_of(machine, None), {}))
    two = Ledger(machine, shares(machine, 2, resources_of(machine, None), {}))
    assert alone.free_mb("cuda:0") == 7500
    assert two.free_mb("cuda:0") == 7000  # each has a context there
    host, less = alone.free_mb("cpu"), two.free_mb("cpu")
    assert host is not None
    assert less is not None
    assert host - less == 700
    two.take("cuda:0", 1000)
    assert two.works(0, "cuda:0", 100) == 1100
    assert two.works(1, "cuda:0", 50) == 1150
    assert two.works(1, None, 0) == 0
    assert (two.free_mb("cuda:0"), two.peak_mb) == (6000, {"cuda:0": 1150})


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """Folders whose weights are so many MB, by their headers."""
    return {name: _folder(tmp_path / name, mb) for name, mb in {"a": 30, "b": 30, "c": 50}.items()}


def _folder(path: Path, mb: int) -> Path:
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "bert"}')
    size = mb * 2**20
    tensor = {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}
    header = json.dumps({"w": tensor}).encode()
    with (path / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return path


def plan_of(
    files: str,
    models: dict[str, Path],
    workers: int = 1,
    budget: float | None = None,
    device: str = "cpu",
    gpus: tuple[float, ...] = (),
    isolate: bool = False,
) -> Plan:
    def job(number: int, name: str) -> Job:
        path = Path(f"/tests/test_{number}_{name}.py")
        checkpoint = {"name": str(models[name]), "auto_class": "AutoModel", "model_type": "bert"}
        facts = FileFacts(str(models[name]), "embedding", True, checkpoint, {"device": device})
        return Job(Target(path, f"{name}{number}", path.parent), facts)

    jobs = [job(number, name) for number, name in enumerate(files)]
    machine = other_machine(machine_with(*gpus))
    given = {} if budget is None else {"RPGEN_MEMORY_BUDGET": str(budget)}
    here = resources_of(machine, device)
    budgets = {} if budget is None else {"cpu": budget}
    mine = shares(machine, workers, here, given)
    return make_plan(jobs, machine, mine, budgets, isolate=isolate)


@pytest.fixture(autouse=True)
def _nothing_measured_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delitem(sys.modules, "transformers", raising=False)  # headers alone are asked


def test_a_plan_for_two_workers(models: dict[str, Path]) -> None:
    plan = plan_of("aabbcc", models, workers=2)
    assert [(step.path, step.worker) for step in plan.steps] == [
        ("a0", 0), ("b2", 1), ("a1", 0), ("b3", 1), ("c4", 0), ("c5", 0),
    ]  # fmt: skip
    assert (plan.workers, plan.loads, plan.evictions) == (2, 3, 0)
    alone = plan_of("aabbcc", models)
    assert (alone.workers, alone.loads) == (1, 3)
    assert alone.peak_mb["cpu"] <= plan.peak_mb["cpu"]


def test_a_budget_is_divided_among_the_workers(models: dict[str, Path]) -> None:
    assert plan_of("ac", models, budget=130).evictions == 0
    plan = plan_of("acab", models, workers=2, budget=130)
    assert plan.budget_mb == {"cpu": 130}
    assert plan.peak_mb["cpu"] <= 130
    assert plan.evictions > 0
    assert not any(step.problem for step in plan.steps)


def test_a_plan_takes_the_fewest_loads(models: dict[str, Path]) -> None:
    """Least recently used would take six."""
    plan = plan_of("abcbacab", models, budget=100)
    assert plan.loads == 5
    assert plan.peak_mb["cpu"] <= 100


def test_devices_have_the_machines_names(models: dict[str, Path]) -> None:
    plan = plan_of("aabb", models, 2, device="cuda", gpus=(8000, 9000))
    assert {(step.worker, step.device) for step in plan.steps} == {(0, "cuda:0"), (1, "cuda:1")}
    assert set(plan.peak_mb) == {"cuda:0", "cuda:1"}


def test_a_worker_for_each_file_loads_for_each_file(models: dict[str, Path]) -> None:
    plan = plan_of("aab", models, isolate=True)
    assert (plan.loads, plan.evictions) == (3, 0)
    assert plan.peak_mb["cpu"] < 40


def test_a_file_for_a_backend_that_is_not_here_says_why(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise unittest.SkipTest("openvino was asked for: it isn't installed")

    monkeypatch.setattr("rpgen.pool.fetch.require", absent)
    monkeypatch.setenv("TEST_HARDWARE_PREFERENCES", '{"device": "openvino"}')
    first, second = plan_of("ab", models).steps
    assert (first.loads, second.loads) == (None, None)
    assert first.problem == "openvino was asked for: it isn't installed"
