"""Every well-known model: its file generated with tiny weights and run, and the table of it.

`python -m benchmarks.models [--folder F] [--processes N] [--anew] [MODEL...]`

Ends with 1 where fewer pass than is asked for.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sweep import FOLDER, ROOT, Origin, folder_for, generated, run_sweep
from benchmarks.timing import machine
from rpgen.model_database import load

PAPER = ROOT / "docs" / "models.md"
LEAST_WHOLE = 0.98

_HEAD = re.compile(r'auto_class="(\w+)"')
_LEFT_OUT = re.compile(r"^# Left out:\n((?:# .*\n)+)", re.M)
_GENERAL = "rpgen.models.example_inputs"
_SHOWN = 240


@dataclass(frozen=True)
class Row:
    """What one model's file gave. `own` is whether it is the file of its family."""

    model: str
    model_type: str
    head: str
    own: bool
    passed: int
    tests: int  # without those that were skipped, which say why
    skipped: int
    seconds: float
    left_out: str
    reason: str

    @property
    def ok(self) -> bool:
        return self.tests > 0 and self.passed == self.tests


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--anew", action="store_true", help="run again what the folder has")
    options = parser.parse_args(arguments)
    models = options.models or list(load().raw_models)
    usual = folder_for(options.models, None) if options.models else FOLDER.with_name("models")
    folder = options.folder or usual
    ran = run_sweep(folder, models, options.processes, anew=options.anew, generate=write_files)
    rows = read(folder)
    print(summary(rows, ran.minutes))
    for row in rows:
        if not row.ok:
            print(cells(row))
    if not options.models:
        PAPER.write_text(paper(rows, ran.minutes, ran.origin), "utf-8")
    return 0 if sum(row.ok for row in rows) >= LEAST_WHOLE * len(rows) else 1


def write_files(folder: Path, models: Sequence[str]) -> dict[str, Path]:
    """The files of these models, written anew, by model."""
    listed = folder / "models.txt"
    listed.write_text("\n".join(models) + "\n", "utf-8")
    return generated(folder, ["--models-file", str(listed)])


def read(folder: Path) -> list[Row]:
    files = (
        file
        for report in sorted(folder.glob("batch-*.json"))
        for file in json.loads(report.read_text("utf-8"))["files"]
    )
    return sorted((row_of(file) for file in files), key=lambda row: row.model.lower())


def row_of(file: Mapping[str, Any]) -> Row:
    source = Path(file["path"]).read_text("utf-8")
    tests = [test for test in file["tests"] if test["outcome"] != "skipped"]
    failed = [test for test in tests if test["outcome"] != "passed"]
    told = [file.get("message"), *(f"{_name(test)}: {test['message']}" for test in failed)]
    model = _said(r'^CHECKPOINT = Checkpoint\(\n    "([^"]+)"', source)
    return Row(
        model,
        _said(r'model_type="([^"]+)"', source),
        _said(_HEAD.pattern, source),
        _GENERAL not in source,
        len(tests) - len(failed),
        len(tests),
        len(file["tests"]) - len(tests),
        file["duration_seconds"] or 0.0,
        left_out(source),
        _line(next(filter(None, told), "")),
    )


def left_out(source: str) -> str:
    """What the file says that it leaves out, in one line."""
    found = _LEFT_OUT.search(source)
    lines = [line.removeprefix("# ").strip() for line in found[1].splitlines()] if found else []
    return " ".join(lines).replace("|", "/").removeprefix("- ").replace(" - ", "; ")


def _said(pattern: str, source: str) -> str:
    found = re.search(pattern, source, re.M)
    return found[1] if found else ""


def _name(test: Mapping[str, Any]) -> str:
    return str(test["id"]).rpartition("::")[2]


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")[:_SHOWN]


def summary(rows: Sequence[Row], minutes: float | None) -> str:
    passed, own = sum(row.ok for row in rows), sum(row.own for row in rows)
    share = 100 * passed / len(rows) if rows else 0.0
    times = [row.seconds for row in rows if row.tests]
    skipped = sum(row.skipped for row in rows)
    lines = [
        f"- {len(rows)} well-known models, {own} with the file of their family, the others with"
        " the general one.",
        f"- {passed} of {len(rows)} pass their whole file ({share:.1f} %); {skipped} tests of"
        f" {sum(row.tests + row.skipped for row in rows)} were skipped, each with its reason.",
        f"- The median file takes {statistics.median(times) if times else 0:.2f} s after imports.",
    ]
    if minutes is not None:
        lines.append(f"- All took {minutes:.0f} minutes.")
    return "\n".join(lines)


def paper(rows: Sequence[Row], minutes: float | None, origin: Origin) -> str:
    head = [
        "# Well-known models",
        "",
        "Every model of `model_database.json` with tiny weights: its structure from its own"
        " configuration, its weights from a seed. The files were written by `rpgen generate"
        " --models-file … --weights tiny` and run by `rpgen run`. Made by"
        f" `python -m benchmarks.models` at {origin.commit}, with transformers"
        f" {origin.transformers} on {machine()}.",
        "",
        summary(rows, minutes),
        "",
        "A model gets the general file where that of its family does not fit its head; the file"
        " says why. What is left out is so on a ground of `rpgen/grounds.py`, or because"
        " transformers keeps a weight in float32.",
        "",
        "| model | type | head | file | checks passed | skipped | seconds | left out |"
        " where it fell short |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(cells, rows)]) + "\n"


def cells(row: Row) -> str:
    kind = "family" if row.own else "general"
    parts = [
        row.model, row.model_type, row.head, kind, f"{row.passed}/{row.tests}", str(row.skipped),
        f"{row.seconds:.1f}", row.left_out, row.reason if not row.ok else "",
    ]  # fmt: skip
    return "| " + " | ".join(parts) + " |"


if __name__ == "__main__":
    sys.exit(main())
