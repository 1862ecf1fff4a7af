"""The work of measuring faults, in pieces: each is kept when it is done, so that a run that was
cut off goes on where it was. What is kept belongs to one version of the code."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.broken import bench
from rpgen.paths import templates_folder, user_cache_folder

HEALTHY_RUNS = 20
_AT_ONCE = 5
_ROOT = Path(__file__).parent.parent
_MEASURED = ("rpgen/checks", "rpgen/generate", "rpgen/models", "benchmarks/broken")


@dataclass(frozen=True)
class Unit:
    """All faults of one kind on one model; or, of the kind "healthy", runs from a first seed."""

    model: str
    kind: str
    first_seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.model}-{self.kind.replace(' ', '_')}-{self.first_seed}.json"


@dataclass(frozen=True)
class Done:
    """What a unit came to. `runs` counts those of the healthy model."""

    model: str
    findings: tuple[bench.Finding, ...] = ()
    alarms: tuple[str, ...] = ()
    runs: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Done":
        findings = tuple(
            bench.Finding(**{**each, "seen_by": tuple(each["seen_by"])})
            for each in values["findings"]
        )
        return cls(values["model"], findings, tuple(values["alarms"]), values["runs"])


def units() -> Iterator[Unit]:
    for model in bench.MODELS:
        for kind in bench.FAULTS:
            yield Unit(model, kind)
        for seed in range(0, HEALTHY_RUNS, _AT_ONCE):
            yield Unit(model, "healthy", seed)


def code_version() -> str:
    """Of everything that a finding depends on."""
    digest = hashlib.sha256()
    for name in ("torch", "transformers"):
        digest.update(version(name).encode())
    folders = [*(_ROOT / each for each in _MEASURED), templates_folder()]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".j2"):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def measured() -> list[Done]:
    """Every unit, from what is kept or done now: one process from each end."""
    folder = user_cache_folder() / "faults" / code_version()
    folder.mkdir(parents=True, exist_ok=True)
    spawn = get_context("spawn")
    workers = [spawn.Process(target=work, args=(folder, backwards)) for backwards in (False, True)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [Done.from_dict(json.loads((folder / unit.name).read_text("utf-8"))) for unit in units()]


def work(folder: Path, backwards: bool) -> None:
    """Do what is not done yet; another process may come from the other end."""
    every = list(units())
    for unit in reversed(every) if backwards else every:
        path = folder / unit.name
        if path.exists():
            continue
        text = json.dumps(asdict(_do(unit)), indent=1)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, "utf-8")
        beside.replace(path)
        left = sum(not (folder / each.name).exists() for each in every)
        print(f"{unit.model}: {unit.kind} is done, {left} are left", flush=True)


def _do(unit: Unit) -> Done:
    import torch

    torch.set_num_threads(1)
    file = bench.File(unit.model)
    if unit.kind != "healthy":
        faults = bench.FAULTS[unit.kind]
        return Done(unit.model, tuple(bench.try_fault(file, unit.kind, each) for each in faults))
    seeds = range(unit.first_seed, unit.first_seed + _AT_ONCE)
    alarms = tuple(alarm for seed in seeds for alarm in _alarms(file, seed))
    return Done(unit.model, (), alarms, len(seeds))


def _alarms(file: bench.File, seed: int) -> list[str]:
    """A healthy model with weights of its own, on one to three threads."""
    import torch

    from rpgen.models import load

    load.SEED = 1000 + seed
    torch.manual_seed(seed)
    torch.set_num_threads(1 + seed % 3)
    failing = file.failing(file.subject())
    return [f"{file.name}, seed {seed}: {test}: {text[:300]}" for test, text in failing.items()]
