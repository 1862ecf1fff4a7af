"""The matrix of models by device and versions on the terminal and as JSON."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rpgen.history.matrix import Cell, Column, Matrix
from rpgen.report import words
from rpgen.report.progress import STYLES
from rpgen.run.results import Outcome

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_MODEL_ROOM = 34


def table(matrix: Matrix, width: int) -> "Table":
    """As many columns as the width has room for, the newest first."""
    from rich import box
    from rich.table import Table

    headings = [column.heading(with_host=matrix.several_hosts) for column in matrix.columns]
    bodies = [
        [_text(matrix.cells.get((model, column))) for model in matrix.models]
        for column in matrix.columns
    ]
    names = [words.shortened(words.printable(model), _MODEL_ROOM) for model in matrix.models]
    left = width - max((len(name) for name in names), default=5) - 2
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("model", no_wrap=True)
    shown: list[list[Text]] = []
    for heading, cells in zip(headings, bodies, strict=True):
        needed = max(*(len(line) for line in heading), *(cell.cell_len for cell in cells)) + 2
        if shown and needed > left:
            break
        left -= needed
        grid.add_column("\n".join(map(words.printable, heading)), no_wrap=True, overflow="ellipsis")
        shown.append(cells)
    for name, *row in zip(names, *shown, strict=True):
        grid.add_row(name, *row)
    hidden = len(headings) - len(shown)
    notes = [f"the last result of each in {words.counted(matrix.runs, 'run')}"]
    if hidden:
        notes.append(f"{words.counted(hidden, 'older column')} with --html FILE or --json")
    grid.caption, grid.caption_justify = "; ".join(notes), "left"
    return grid


def _text(cell: Cell | None) -> "Text":
    from rich.text import Text

    if cell is None:
        return Text("-", "dim")
    known = cell.outcome in set(Outcome)
    text = Text(cell.outcome, STYLES[Outcome(cell.outcome)] if known else "")
    text.append(f" {cell.passed}/{cell.total}", "default")
    means = " ".join(part for part in (cell.weights, cell.dtype) if part)
    if means:
        text.append(f" {means}", "dim")
    if cell.before:
        text.append(f" (was {cell.before})", "yellow")
    return text


def to_json(matrix: Matrix) -> str:
    """Schema 1: a list of results, each with its model and its place."""
    found = {
        "schema": 1,
        "runs": matrix.runs,
        "columns": [_column(column) for column in matrix.columns],
        "results": [
            {"model": model, **_column(column), **asdict(cell)}
            for (model, column), cell in matrix.cells.items()
        ],
    }
    return json.dumps(found, indent=2) + "\n"


def _column(column: Column) -> dict[str, Any]:
    return {"device": column.device, "host": column.host, "versions": dict(column.versions)}
