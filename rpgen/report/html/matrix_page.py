"""The page of several runs: models by device and versions, trends, and the runs themselves."""

import datetime
from collections.abc import Mapping, Sequence

from rpgen.history.matrix import Matrix
from rpgen.history.records import RunRecord
from rpgen.history.trends import findings
from rpgen.report import words
from rpgen.report.history import told
from rpgen.report.html.render import render


def page(matrix: Matrix, runs: Sequence[RunRecord], pages: Mapping[str, str]) -> str:
    """`pages` has the address of a run's own page by its name, where there is one."""
    found = findings(runs)
    return render(
        "matrix.html.j2",
        {
            "title": f"rpgen: {len(matrix.models)} models in {matrix.runs} runs",
            "matrix": matrix,
            "headings": [
                column.heading(with_host=matrix.several_hosts) for column in matrix.columns
            ],
            "rows": [
                (model, [matrix.cells.get((model, column)) for column in matrix.columns])
                for model in matrix.models
            ],
            "worse": [told(finding) for finding in found if finding.kind.is_worse],
            "mended": [told(finding) for finding in found if not finding.kind.is_worse],
            "runs": [(run, _moment(run.started_at), words.counts(run)) for run in reversed(runs)],
            "pages": pages,
        },
    )


def _moment(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
