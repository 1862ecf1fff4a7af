"""How long a command takes before it does anything, against importing its libraries alone."""

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import RPGEN, in_turn, machine, ratio, seconds

BASELINE = [sys.executable, "-c", "import typer, jinja2, rich.console, rich.table"]
LIMIT = 2.0
ROUNDS = 15
MANY = 1000


def section() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = folder / "hardware_cache.json"
        seconds([*RPGEN, "detect", "--hw-cache", str(cache)], folder)
        generate = [*RPGEN, "generate", "--model", "bert-base-uncased", "--output-dir", "s"]
        jobs = {
            "the libraries alone": [BASELINE],
            "rpgen --help": [[*RPGEN, "--help"]],
            "rpgen detect, cached": [[*RPGEN, "detect", "--hw-cache", str(cache)]],
            "rpgen generate, one model": [generate],
        }
        taken = in_turn(jobs, folder, ROUNDS)
        many = _many(folder)
    rows = [
        f"| {name} | {statistics.median(times):.3f} |"
        f" {ratio(times, taken['the libraries alone']):.2f} |"
        for name, times in taken.items()
    ]
    return "\n".join(
        [
            "## Start-up",
            "",
            f"Whole processes, {ROUNDS} rounds in turn on {machine()}; the bound is {LIMIT:g} times"
            " `import typer, jinja2, rich.console, rich.table`.",
            "",
            "| process | seconds (median) | times the libraries (median of rounds) |",
            "|---|---|---|",
            *rows,
            "",
            f"{MANY} models from `--models-file`: {many:.2f} s (bound 8 s).",
        ]
    )


def _many(folder: Path) -> float:
    listed = folder / "models.txt"
    listed.write_text("".join(f"owner/bert-variant-{number}\n" for number in range(MANY)))
    command = [*RPGEN, "generate", "--models-file", str(listed), "--output-dir", "many"]
    return seconds(command, folder)
