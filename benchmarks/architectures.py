"""Every architecture of transformers: its file generated and run, and the table of what it gave.

`python -m benchmarks.architectures [--folder F] [--processes N] [--sample N] [--anew] [TYPE...]`

Ends with 1 where fewer pass, or take all kinds of input together, than is asked for.
"""

import argparse
import ast
import json
import re
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.absent import told
from benchmarks.sweep import FOLDER, ROOT, Origin, folder_for, run_sweep
from benchmarks.timing import machine
from rpgen.architectures.__main__ import all_types
from rpgen.generate.architecture import LEVELS
from rpgen.grounds import ground_of
from rpgen.model_database import Architecture, ModelDatabase, load

PAPER = ROOT / "docs" / "architectures.md"
LEAST_WHOLE = 0.98
LEAST_TOGETHER = 0.95

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

    @property
    def falls_short(self) -> bool:
        return not (self.ok and (self.together or not self.takes_several))

    @property
    def why(self) -> str:
        return f"needs {self.absent}" if self.absent else self.reason


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architectures")
    parser.add_argument("types", nargs="*")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sample", type=int, help="so many types that can run, evenly spread")
    parser.add_argument("--anew", action="store_true", help="run again what the folder has")
    options = parser.parse_args(arguments)
    types = [*options.types, *(sample(options.sample) if options.sample else ())]
    folder = options.folder or folder_for(options.types, options.sample)
    done = sweep(folder, types, options.processes, anew=options.anew)
    print(summary(done))
    for row in done.rows:
        if not row.ok:
            print(_cells(row))
    missed = shortfalls(done)
    for each in missed:
        print(each)
    return 1 if missed else 0


def sample(count: int) -> list[str]:
    """So many types that can run here, evenly spread over those that the database and the
    installed transformers have, which may be another than the pinned one."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    known = load()
    return spread(known, sorted(set(MODEL_MAPPING_NAMES) & set(known.raw_architectures)), count)


def spread(known: ModelDatabase, names: Sequence[str], count: int) -> list[str]:
    """Evenly chosen names; one that is known to need a package gives way to its neighbour."""
    able = {name for name in names if not _PACKAGE.search(_problem(known, name))}
    if len(able) < count:
        raise SystemExit(f"only {len(able)} types can run, {count} were asked for")
    chosen: list[str] = []
    for place in range(count):
        at = place * len(names) // count
        order = [*names[at:], *reversed(names[:at])]
        chosen.append(next(name for name in order if name in able and name not in chosen))
    return sorted(chosen)


def _problem(known: ModelDatabase, name: str) -> str:
    architecture = known.architecture(name)
    return str(architecture.tiny.get("problem") or "") if architecture else ""


def section() -> str:
    """For docs/benchmarks.md; the table stands in docs/architectures.md."""
    done = sweep(FOLDER, (), 2, anew=True)
    return f"## Every architecture\n\n{summary(done)}\n\nThe table is in `architectures.md`."


@dataclass(frozen=True)
class Sweep:
    """`minutes` is None where it was stopped and gone on with."""

    rows: Sequence[Row]
    processes: int
    minutes: float | None
    origin: Origin


def sweep(folder: Path, types: Sequence[str], processes: int, *, anew: bool = False) -> Sweep:
    """Runs what has not been run yet; of all types it also writes the paper."""
    every = not types
    ran = run_sweep(folder, types or all_types(), processes, anew=anew)
    done = Sweep(read(folder), processes, ran.minutes, ran.origin)
    raise_unless_whole(done, types or all_types())
    if every and ran.origin.transformers == pinned():
        PAPER.write_text(paper(done), "utf-8")
    elif every:
        print(f"{PAPER.name} is written with {pinned()}, not with {ran.origin.transformers}")
    return done


def raise_unless_whole(done: Sweep, types: Sequence[str]) -> None:
    """Ends with their names where types have no row, or rows are of other types."""
    odd = sorted({row.model_type for row in done.rows} ^ set(types))
    if odd:
        raise SystemExit(f"{len(odd)} types have no report, or should have none: {', '.join(odd)}")


def pinned() -> str:
    """The version of transformers that the paper is written with."""
    found = re.search(r"^transformers==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert found is not None
    return found[1]


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
    reached = levels_of(Path(file["path"]).read_text("utf-8"))
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


def levels_of(text: str) -> tuple[str, ...]:
    """The levels that a file says it exercises."""
    found = re.search(r"^LEVELS = (.*?[)\]])", text, re.M | re.S)
    said = ast.literal_eval(found[1]) if found else ()
    return tuple(level for level, words in LEVELS.items() if words in said)


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
    absent = {row.absent for row in rows if row.absent}
    times = sorted(row.seconds for row in rows if row.tests)
    need = f"{len(rows) - len(counted)} of them need" if absent else "none of which needs"
    lines = [
        f"- {len(rows)} types, {need} a package that can't be installed here"
        + (f" ({told(absent)})." if absent else "."),
        f"- {len(passed)} of the {'other ' if absent else ''}{len(counted)} pass their whole file"
        f" ({_percent(passed, counted)}).",
        f"- {len(together)} of {len(joint)} that take text with images, video or audio do so"
        f" with all of it that goes together in one call ({_percent(together, joint)}).",
        f"- The median file takes {statistics.median(times) if times else 0:.2f} s after imports.",
    ]
    if done.minutes is not None:
        lines.append(f"- All took {done.minutes:.0f} minutes in {done.processes} processes.")
    return "\n".join(lines)


def shortfalls(done: Sweep) -> list[str]:
    """What is less than asked for, a sentence each."""
    counted = [row for row in done.rows if row.absent is None]
    joint = [row for row in counted if row.takes_several]
    parts = (
        ("pass their whole file", [row for row in counted if row.ok], counted, LEAST_WHOLE),
        ("take all kinds together", [row for row in joint if row.together], joint, LEAST_TOGETHER),
    )
    return [
        f"{len(part)} of {len(whole)} {what}: fewer than {least:.0%}"
        for what, part, whole, least in parts
        if len(part) < least * len(whole)
    ]


def _percent(part: Sequence[Any], whole: Sequence[Any]) -> str:
    return f"{100 * len(part) / len(whole):.1f} %" if whole else "none"


def raise_if_silent(done: Sweep) -> None:
    silent = [row.model_type for row in done.rows if row.falls_short and not row.why]
    if silent:
        raise SystemExit(f"no reason is known where these fall short: {', '.join(silent)}")


def paper(done: Sweep) -> str:
    """The whole table. A row that falls short says why, or there is no paper."""
    raise_if_silent(done)
    head = [
        "# Architectures",
        "",
        "Every type that transformers' AutoModel knows, as a tiny model with random weights and"
        " inputs made from the model alone; its file was written by `rpgen generate"
        " --all-architectures --weights tiny` and run by `rpgen run`. Made by"
        " `python -m benchmarks.architectures`"
        f" at {done.origin.commit}, with transformers {done.origin.transformers}"
        f" on {machine()}.",
        "",
        summary(done),
        "",
        "The levels are those that the file exercises: forward, joint (all that the type takes"
        " together, in one call; a kind that another excludes by the model's own code is named in"
        " the file), generation, training (a step of it). A check is left out of a"
        " file only on one of the grounds that `rpgen/grounds.py` recognises; each"
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


def _cells(row: Row) -> str:
    levels = ", ".join(row.reached) or "none"
    cells = [
        row.model_type, row.family, levels, f"{row.passed}/{row.tests}", f"{row.seconds:.1f}",
        _reasons(row.left_out), _reasons(row.missed), row.why if row.falls_short else "",
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
