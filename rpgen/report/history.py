"""Earlier runs for `rpgen stats --history`: a line each, trends, and what got worse."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rpgen.history.records import RunRecord
from rpgen.history.trends import Finding, Kind, Trend, findings, trends
from rpgen.report import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SHOWN_TRENDS = 20
_MARKS = {
    "passed": "✓",
    "skipped": "s",
    "failed": "✗",
    "error": "!",
    "timeout": "t",
    "crashed": "x",
}
_BARS = "▁▂▃▄▅▆▇█"


def to_json(runs: Sequence[RunRecord], compared: Sequence[RunRecord]) -> str:
    """Schema 1. `compared` are the runs that the last is compared with, itself at their end."""
    found = {
        "schema": 1,
        "runs": [_run_entry(run) for run in runs],
        "findings": [_finding_entry(finding) for finding in findings(compared)],
        "trends": [asdict(trend) for trend in trends(runs)],
    }
    return json.dumps(found, indent=2, default=str) + "\n"


def _run_entry(run: RunRecord) -> dict[str, Any]:
    ended = run.ended_at
    return {
        "run": run.run,
        "started_at": datetime.fromtimestamp(run.started_at, UTC).isoformat(
            timespec="milliseconds"
        ),
        "duration_seconds": None if ended is None else round(ended - run.started_at, 3),
        "exit_code": run.exit_code,
        "stopped": run.stopped,
        "host": run.host,
        "summary": dict(run.summary),
        "pool": dict(run.pool),
        "versions": dict(run.versions),
    }


def _finding_entry(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "changed": [" → ".join(pair) for pair in finding.changed]}


def show(runs: Sequence[RunRecord], compared: Sequence[RunRecord], console: "Console") -> None:
    """The runs, oldest first; then, for more than one, where they are going."""
    console.print(runs_table(runs))
    if len(compared) < 2:
        return
    rows = trends(runs)
    if len(runs) > 1 and rows:
        console.print(trends_table(rows, console.width))
    found = findings(compared)
    if not found:
        console.print("nothing got worse in the last run", style="green")
    for finding in found:
        style = "red" if finding.kind.is_worse else "green"
        console.print(told(finding), style=style, markup=False, soft_wrap=True)


def runs_table(runs: Iterable[RunRecord]) -> "Table":
    grid = _grid()
    grid.add_column("run", no_wrap=True)
    grid.add_column("files", justify="right")
    grid.add_column("outcome")
    for name in ("time", "pool hits", "loading"):
        grid.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        ended, loading = run.ended_at, run.pool.get("load_seconds")
        grid.add_row(
            words.printable(run.run),
            str(run.summary.get("files", 0)),
            words.counts(run) + ("" if ended else ", did not end"),
            words.seconds(ended - run.started_at) if ended else "-",
            words.requests(run.pool),
            "-" if loading is None else words.seconds(loading),
        )
    return grid


def trends_table(rows: Sequence[Trend], width: int) -> "Table":
    """A row per file of the last run, those that are not all well first."""
    grid = _grid("the files of the last run, oldest result first")
    for name in ("file", "outcomes", "time", "now", "peak memory", "now"):
        grid.add_column(name, justify="right" if name == "now" else "left", no_wrap=True)
    ordered = sorted(rows, key=lambda row: set(row.outcomes) <= {"passed", "skipped", None})
    room = max(20, width - 75)
    for row in ordered[:SHOWN_TRENDS]:
        memory = row.peak_mb[-1]
        grid.add_row(
            words.shortened(words.printable(row.path), room),
            "".join(" " if each is None else _MARKS.get(each, "?") for each in row.outcomes[-20:]),
            sparkline(row.seconds[-20:]),
            words.seconds(row.seconds[-1] or 0.0),
            sparkline(row.peak_mb[-20:]),
            "-" if memory is None else words.memory(memory),
        )
    if len(ordered) > SHOWN_TRENDS:
        grid.caption = f"and {len(ordered) - SHOWN_TRENDS} more files, all of them with --json"
        grid.caption_justify = "left"
    return grid


def told(finding: Finding) -> str:
    """One line: "slower: t/test_a.py (gpt2 on cpu) usually 2.1 s, now 4.3 s; compared with ..."."""
    where = " on ".join(part for part in (finding.model, finding.device) if part)
    changed = ", ".join(" → ".join(pair) for pair in finding.changed)
    parts = [f"{finding.kind}: {finding.what}", f"({where})" if where else ""]
    was = "usually" if finding.kind in (Kind.SLOWER, Kind.MORE_MEMORY) else "was"
    parts.append(f"{was} {finding.before}, now {finding.now}; compared with {finding.since}")
    line = " ".join(part for part in parts if part) + (f"; since then {changed}" if changed else "")
    return words.printable(line.replace("\n", " "))


def sparkline(values: Sequence[float | None]) -> str:
    """Heights between 0 and the highest; a gap where nothing is known.

    >>> sparkline([1, None, 2, 8])
    '▁ ▂█'
    """
    return "".join(_bars(values))


def _bars(values: Sequence[float | None]) -> Iterator[str]:
    highest = max((value for value in values if value is not None), default=0.0) or 1.0
    for value in values:
        yield " " if value is None else _BARS[min(7, int(value / highest * 7.999))]


def _grid(title: str | None = None) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
