"""`python -m rpgen.architectures.families [--processes N] [--output FILE]`.

Writes the file of its family for every well-known model, runs them with tiny weights, and
records which heads of which types such a file does not fit: it raises there, because the model
takes or gives something else than the family does, or lacks what makes its inputs. Models with
such a head get the general file, which finds its inputs from the model itself. A check that
fails is no such ground.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rpgen import paths
from rpgen.architectures.record import write_types
from rpgen.errors import RpgenError
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.model_database import ModelDatabase, load_or_shipped

Head = tuple[str, str]
"""A type and an auto class."""

_FAILED = ("AssertionError", "rpgen.checks.")
"""How the message of a failed check begins."""

_MODULE = re.compile(r"^(?:\w+\.)+(?=\w)")
_LONGEST = 200  # characters of a reason
_RAN = (0, 1)  # exit codes of a run whose report is whole


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rpgen.architectures.families")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None, help="the database (the shipped one)")
    options = parser.parse_args(arguments)
    path = options.output or paths.model_database_file()
    try:
        with tempfile.TemporaryDirectory() as name:
            heads = write_files(load_or_shipped(path), Path(name))
            found = misfits(run_files(Path(name), options.processes), heads)
        changed = record_misfits(path, found)
    except RpgenError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    print(f"{path}: {len(heads)} models, {len(found)} heads that need the general file,"
          f" {changed} types changed")  # fmt: skip
    return 0


def write_files(database: ModelDatabase, folder: Path) -> dict[str, Head]:
    """The file of its family for each well-known model; the heads by the files' names."""
    types = {
        name: {key: value for key, value in raw.items() if key != "misfits"}
        for name, raw in database.raw_architectures.items()
    }
    unmarked = replace(database, raw_architectures=types)
    generator = Generator(Renderer(), unmarked, Settings(folder))
    heads: dict[str, Head] = {}
    for model in database.raw_models:
        done = generator.try_generate(model, Wishes(weights="tiny"))
        model_type = done.classification.model_type if done.classification else None
        if done.path is not None and done.plan is not None and model_type is not None:
            heads[done.path.name] = model_type, done.plan.auto_class
    return heads


def run_files(folder: Path, processes: int) -> Mapping[str, Any]:
    """The JSON report of a run of all of them. CalledProcessError where there is none."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "rpgen", "run", str(folder), "--workers", str(processes)]
    environment = {**os.environ, "RPGEN_STATE_DIR": str(folder / "state")}
    done = subprocess.run(
        [*command, "--quiet", "--json", str(report)], env=environment, cwd=folder, check=False
    )
    if done.returncode not in _RAN:
        raise subprocess.CalledProcessError(done.returncode, command)
    found: Mapping[str, Any] = json.loads(report.read_bytes())
    return found


def misfits(report: Mapping[str, Any], heads: Mapping[str, Head]) -> dict[Head, str]:
    """What the files raised that is no failed check, by head."""
    found: dict[Head, str] = {}
    for file in report["files"]:
        head = heads.get(Path(file["path"]).name)
        reason = next(raised(file["tests"]), None)
        if head is not None and reason is not None:
            found.setdefault(head, reason)
    return found


def raised(tests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What tests raised that is no failed check: `test: TypeError: …`."""
    for test in tests:
        lines = (test["message"] or "").splitlines()
        if test["outcome"] not in ("failed", "error") or not lines:
            continue
        said = lines[0].removeprefix("in set-up: ")
        if not said.startswith(_FAILED):
            place = "setUpClass" if lines[0] != said else _name(test["id"])
            yield f"{place}: {_MODULE.sub('', said)}"[:_LONGEST]


def _name(test: str) -> str:
    return test.rpartition("::")[2]


def record_misfits(path: Path, found: Mapping[Head, str]) -> int:
    """Puts them into the file, in place of those that it had; how many types changed."""
    old = load_or_shipped(path)
    types: dict[str, dict[str, Any]] = {
        name: dict(raw) for name, raw in old.raw_architectures.items()
    }
    for raw in types.values():
        raw.pop("misfits", None)
    for (model_type, auto_class), reason in sorted(found.items()):
        types[model_type].setdefault("misfits", {})[auto_class] = reason
    write_types(path, old, types)
    return sum(bool(old.raw_architectures[name] != raw) for name, raw in types.items())


if __name__ == "__main__":
    sys.exit(main())
