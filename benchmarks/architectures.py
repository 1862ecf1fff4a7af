"""Every architecture of transformers: its file generated and run, and the table of what it gave.

`python -m benchmarks.architectures [--folder F] [--processes N] [--sample N] [TYPE...]`

Batches run in processes of their own (`rpgen run`), which a crash costs one result; a batch
whose report is there already is not run again, so that a sweep that was stopped goes on.
"""

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import RPGEN, machine
from rpgen.architectures.ground import ground_of
from rpgen.generate.architecture import LEVELS
from rpgen.model_database import Architecture, load
from rpgen.run.division import THREADS

ROOT = Path(__file__).parent.parent
PAPER = ROOT / "docs" / "architectures.md"
FOLDER = Path(".benchmarks") / "architectures"
BATCH = 25
TIMEOUT = 120
"""Seconds for one test of a file."""

_PACKAGE = re.compile(r"requires the (\w+) library|needs a package: .*?`?pip install (\w+)")
_SHOWN = 240


@dataclass(frozen=True)
class Row:
    """What one type's file gave. `absent` is a package that the type needs and isn't here."""

    model_type: str
    family: str
    reached: tuple[str, ...]
    takes_several: bool
    passed: int
    tests: int  # without those that were skipped, which say why
    seconds: float
    left_out: Mapping[str, str]
    missed: Mapping[str, str]
    reason: str
    absent: str | None

    @property
    def together(self) -> bool:
        return self.ok and "joint" in self.reached

    @property
    def ok(self) -> bool:
        return self.tests > 0 and self.passed == self.tests


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architectures")
    parser.add_argument("types", nargs="*")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sample", type=int, help="so many types, evenly spread over all")
    options = parser.parse_args()
    types = [*options.types, *(sample(options.sample) if options.sample else ())]
    done = sweep(options.folder, types, options.processes)
    print(summary(done))
    for row in done.rows:
        if not row.ok:
            print(_cells(row))
    return 0


def sample(count: int) -> list[str]:
    """Types that the installed transformers has, which may be another than the pinned one."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    names = sorted(set(MODEL_MAPPING_NAMES) & set(load().raw_architectures))
    return [names[place * len(names) // count] for place in range(count)]


def section() -> str:
    """For docs/benchmarks.md; the table stands in docs/architectures.md."""
    done = sweep(FOLDER, (), 2)
    return f"## Every architecture\n\n{summary(done)}\n\nThe table is in `architectures.md`."


@dataclass(frozen=True)
class Sweep:
    """`minutes` is None where it was stopped and gone on with."""

    rows: Sequence[Row]
    processes: int
    minutes: float | None


def sweep(folder: Path, types: Sequence[str], processes: int) -> Sweep:
    """Runs what has not been run yet; of all types it also writes the paper."""
    files = generate(folder, types)
    before, started = len(list(folder.glob("batch-*.json"))), time.monotonic()
    run_all(files, folder, processes)
    minutes = None if before else (time.monotonic() - started) / 60
    done = Sweep(read(folder), processes, minutes)
    if not types:
        PAPER.write_text(paper(done), "utf-8")
    return done


def generate(folder: Path, types: Sequence[str]) -> list[Path]:
    """The files of these types (of all, without any), written anew."""
    skills = folder / "skills"
    wanted = [word for name in types for word in ("--architecture", name)]
    command = [*RPGEN, "generate", "--weights", "tiny", "--output-dir", str(skills), "--json"]
    result = subprocess.run(
        [*command, *(wanted or ["--all-architectures"])], capture_output=True, text=True
    )
    files = [Path(each["path"]) for each in json.loads(result.stdout)["files"]]
    return sorted(files)


def run_all(files: Sequence[Path], folder: Path, processes: int) -> None:
    """Each batch's report lands in the folder as batch-N.json."""
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    reports = [folder / f"batch-{number:03d}.json" for number in range(len(batches))]
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    environment = {**os.environ, **dict.fromkeys(THREADS, threads)}
    with ThreadPoolExecutor(processes) as waiting:  # for processes
        list(waiting.map(_run, batches, reports, itertools.repeat(environment)))


def _run(batch: Iterable[Path], report: Path, environment: Mapping[str, str]) -> None:
    if report.exists():
        return
    unfinished = report.with_suffix(".unfinished")
    command = [*RPGEN, "run", *map(str, batch), "--timeout", str(TIMEOUT), "-q"]
    command += ["--json", str(unfinished)]
    subprocess.run(command, env=environment, capture_output=True, check=False)
    if unfinished.exists():
        unfinished.replace(report)


def read(folder: Path) -> list[Row]:
    known = load()
    rows = {}
    for report in sorted(folder.glob("batch-*.json")):
        for file in json.loads(report.read_text("utf-8"))["files"]:
            architecture = known.architecture(file["model"] or _named(file["path"]))
            if architecture is not None:
                rows[architecture.model_type] = _row(architecture, file)
    return [rows[name] for name in sorted(rows)]


def _named(path: str) -> str | None:
    """The type of a file that never got so far as to name it."""
    found = re.search(r'^CHECKPOINT = Checkpoint\(\n    "([^"]+)"', Path(path).read_text(), re.M)
    return found[1] if found else None


def _row(architecture: Architecture, file: Mapping[str, Any]) -> Row:
    tests = [test for test in file["tests"] if test["outcome"] != "skipped"]
    failed = [test for test in tests if test["outcome"] != "passed"]
    told = [file.get("message"), *(test["message"] for test in failed)]
    said = next((each for each in told if each), "")
    problem = architecture.tiny.get("problem") or ""
    absent = _PACKAGE.search(f"{said} {problem}")
    reached = tuple(level for level in LEVELS if level in architecture.tiny.get("levels", ()))
    return Row(
        architecture.model_type,
        str(architecture.family or "other"),
        reached,
        "text" in architecture.inputs and len(architecture.inputs) > 1,
        len(tests) - len(failed),
        len(tests),
        file["duration_seconds"] or 0.0,
        architecture.tiny.get("left_out", {}),
        architecture.tiny.get("missed", {}),
        _line(said or problem),
        (absent[1] or absent[2]) if absent and failed else None,
    )


def _line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
    return chosen.replace("|", "/")[:_SHOWN]


def summary(done: Sweep) -> str:
    """The figures that are asked for, in a few lines."""
    rows = done.rows
    counted = [row for row in rows if row.absent is None]
    joint = [row for row in counted if row.takes_several]
    together = [row for row in joint if row.together]
    passed = [row for row in counted if row.ok]
    absent = sorted({row.absent for row in rows if row.absent})
    times = sorted(row.seconds for row in rows if row.tests)
    lines = [
        f"- {len(rows)} types, {len(rows) - len(counted)} of them need a package that isn't"
        f" installed here ({', '.join(absent)}).",
        f"- {len(passed)} of the other {len(counted)} pass their whole file"
        f" ({_percent(passed, counted)}).",
        f"- {len(together)} of {len(joint)} that take text with images, video or audio do so"
        f" with all of it in one call ({_percent(together, joint)}).",
        f"- The median file takes {statistics.median(times) if times else 0:.2f} s after imports.",
    ]
    if done.minutes is not None:
        lines.append(f"- All took {done.minutes:.0f} minutes in {done.processes} processes.")
    return "\n".join(lines)


def _percent(part: Sequence[Any], whole: Sequence[Any]) -> str:
    return f"{100 * len(part) / len(whole):.1f} %" if whole else "none"


def paper(done: Sweep) -> str:
    import transformers

    head = [
        "# Architectures",
        "",
        "Every type that transformers' AutoModel knows, as a tiny model with random weights and"
        " inputs made from the model alone; its file was written by `rpgen generate"
        " --all-architectures --weights tiny` and run by `rpgen run`. Made by"
        " `python -m benchmarks.architectures`"
        f" at {version_of_the_code()}, with transformers {transformers.__version__}"
        f" on {machine()}.",
        "",
        summary(done),
        "",
        "The levels are those that the file exercises: forward, joint (all that the type takes"
        " together, in one call), generation, training (a step of it). A check is left out of a"
        " file only on one of the grounds that `rpgen/architectures/ground.py` recognises; each"
        " row has the ground and what was seen. A check that failed on no such ground stays in"
        " the file, and fails.",
        "",
        *left_out_by_ground(done.rows),
        "",
        "| type | family | levels | checks passed | seconds | left out | levels not reached |"
        " where it fell short |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_cells(row) for row in done.rows)]) + "\n"


def version_of_the_code() -> str:
    """The commit, and whether something was changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _cells(row: Row) -> str:
    whole = row.ok and (row.together or not row.takes_several)
    reason = "" if whole else (f"needs {row.absent}" if row.absent else row.reason)
    levels = ", ".join(row.reached) or "none"
    cells = [
        row.model_type, row.family, levels, f"{row.passed}/{row.tests}", f"{row.seconds:.1f}",
        _reasons(row.left_out), _reasons(row.missed), reason,
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _reasons(reasons: Mapping[str, str]) -> str:
    """Whole, those of several names with one reason together."""
    names: dict[str, list[str]] = {}
    for name, reason in sorted(reasons.items()):
        names.setdefault(" ".join(reason.split()).replace("|", "/"), []).append(name)
    return "; ".join(f"**{', '.join(each)}**: {reason}" for reason, each in names.items())


def left_out_by_ground(rows: Sequence[Row]) -> list[str]:
    """How often each check is left out, on which ground: lines of a table."""
    counts = Counter(
        (name, str(ground_of(reason) or "no ground"))
        for row in rows
        for name, reason in row.left_out.items()
    )
    table = [f"| {name} | {ground} | {count} |" for (name, ground), count in sorted(counts.items())]
    return ["| check | ground | types |", "|---|---|---|", *table]


if __name__ == "__main__":
    sys.exit(main())
