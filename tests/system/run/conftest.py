"""`rpgen run` as a person starts it: a process of its own, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import rpgen

ROOT = Path(rpgen.__file__).parents[1]


@dataclass(frozen=True)
class Ran:
    """What is left of a run. `outcomes` has the outcome of each test by the end of its id."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.state / "report.json").read_text())
        return loaded

    @property
    def state(self) -> Path:
        name = (self.folder / ".rpgen" / "latest").read_text().strip()
        return self.folder / ".rpgen" / "runs" / name

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        return {file["path"]: file for file in self.report["files"]}

    @property
    def tests(self) -> dict[str, dict[str, Any]]:
        return {test["id"]: test for file in self.report["files"] for test in file["tests"]}

    @property
    def outcomes(self) -> dict[str, str]:
        return {name.rpartition("::")[2]: test["outcome"] for name, test in self.tests.items()}

    def processes(self) -> list[int]:
        """Processes of this run that are still there (Linux)."""
        marks = [f"RPGEN_WORKER={self.state.name}{end}".encode() for end in ":@"]
        return [pid for pid, given in environments() if any(mark in given for mark in marks)]


def environments() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            yield int(entry.name), (entry / "environ").read_bytes()
        except OSError:
            continue


class Project:
    """A folder with test files, and runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **sources: str) -> None:
        """`a__b="..."` writes a/test_b.py, `conftest="..."` writes conftest.py."""
        for name, source in sources.items():
            *folders, stem = name.split("__")
            path = self.folder.joinpath(*folders, f"{stem}.py")
            if stem != "conftest":
                path = path.with_name(f"test_{path.name}")
            self.put(path, source)

    def put(self, path: str | Path, source: str) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source)
        return target

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(
            [sys.executable, "-m", "rpgen", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Ran:
        try:
            out, err = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise
        return Ran(process.returncode, out, err, self.folder)

    def run(self, *arguments: str, **environment: str) -> Ran:
        return self.finish(self.start("run", *arguments, **environment))

    def stats(self, *arguments: str) -> Ran:
        return self.finish(self.start("stats", *arguments))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so, up to a minute; then fail."""
    import time

    def wait(condition: Callable[[], object]) -> None:
        for _ in range(6000):
            if condition():
                return
            time.sleep(0.01)
        pytest.fail("it did not come about")

    return wait
