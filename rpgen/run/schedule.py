"""Which files a run has, and in which order."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rpgen.errors import NothingRanError, UsageError
from rpgen.run.channel import RunFile
from rpgen.run.file_facts import FileFacts, read_facts

_NOT_SEARCHED = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True)
class Target:
    """A file to run; `tests` are the parts after `path::`, empty for the whole file.

    `name` is how reports call the file: relative to the folder of the run where it lies
    inside, absolute elsewhere. `folder` is the one asked for, or that of the file. `device` is
    set where a file runs on several: its name says which.
    """

    path: Path
    name: str
    folder: Path
    tests: tuple[str, ...] = ()
    device: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "name": self.name,
            "folder": str(self.folder),
            "tests": list(self.tests),
            "device": self.device,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Target":
        path, folder = Path(values["path"]), Path(values["folder"])
        tests = tuple(values["tests"])
        return cls(path, values["name"], folder, tests, values.get("device"))


@dataclass(frozen=True)
class Job:
    """A file of the run, with what it says of itself."""

    target: Target
    facts: FileFacts

    @property
    def name(self) -> str:
        return self.target.name

    def task(self) -> RunFile:
        return RunFile(
            str(self.target.path),
            self.target.name,
            self.target.tests,
            needs_models=self.facts.needs_models,
            device=self.target.device,
        )


def on_devices(targets: Iterable[Target], devices: Sequence[str]) -> tuple[Target, ...]:
    """Each file once for each of several devices; as they are for one device or none."""
    if len(devices) < 2:
        return tuple(targets)
    return tuple(
        replace(target, name=f"{target.name} [{device}]", device=device)
        for target in targets
        for device in devices
    )


def read_jobs(targets: Iterable[Target]) -> tuple[Job, ...]:
    return tuple(Job(target, read_facts(target.path)) for target in targets)


def find_targets(paths: Iterable[str], folder: Path) -> tuple[Target, ...]:
    """The files that `paths` stand for, in the order given, each once.

    A path is a Python file, a folder (its `test_*.py` files, recursively, sorted), or
    `file.py::Class::test`.
    """
    chosen: dict[Path, list[str]] = {}
    asked: dict[Path, Path] = {}
    given = list(paths)
    for text in given:
        for path, test, where in _resolve(text, folder):
            asked.setdefault(path, where)
            if path not in chosen:
                chosen[path] = [test] if test else []
            elif chosen[path]:  # an empty list is the whole file, which includes the test
                chosen[path] = [*chosen[path], test] if test else []
    if not chosen:
        raise NothingRanError(
            f"no test_*.py in {', '.join(given)}: `rpgen generate --model ID` writes one"
        )
    return tuple(
        Target(path, _name(path, folder), asked[path], tuple(dict.fromkeys(tests)))
        for path, tests in chosen.items()
    )


def _resolve(text: str, folder: Path) -> Iterator[tuple[Path, str, Path]]:
    if not text.strip() or "\0" in text:
        raise UsageError("a path is empty: give test files, folders, or file.py::Class::test")
    whole = _absolute(text, folder)
    if whole.is_dir():
        yield from ((path, "", whole) for path in _test_files(whole))
        return
    name, _, test = text.partition("::") if not whole.exists() else (text, "", "")
    path = _absolute(name, folder)
    if path.is_dir():
        raise UsageError(f"{name} is a folder: name a file in it before '::{test}'")
    if not path.exists():
        raise UsageError(f"there is no {name}: give test files, folders, or file.py::Class::test")
    if path.suffix != ".py":
        raise UsageError(f"{name} is not a Python file")
    yield path, test, path.parent


def _absolute(text: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / Path(text).expanduser()))


def _test_files(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if _searched(Path(here), name))
        for name in sorted(files):
            if name.startswith("test_") and name.endswith(".py"):
                yield Path(here) / name


def _searched(parent: Path, name: str) -> bool:
    hidden = name.startswith(".") or name in _NOT_SEARCHED
    return not hidden and not (parent / name / "pyvenv.cfg").exists()


def _name(path: Path, folder: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return path.as_posix()
