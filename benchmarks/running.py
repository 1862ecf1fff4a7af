"""What the supervisor adds to a file over plain pytest, and what a worker keeps of many files."""

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import RPGEN, in_turn, machine, seconds

FILES = 200
EARLY = 20
ROUNDS = 5
ADDED_MS_LIMIT = 40.0
GROWTH_MB_LIMIT = 100.0
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]

SMALL = """
import unittest


class TestSmall(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = list(range(1000))

    def test_sum(self):
        self.assertEqual(sum(self.data), 499500)

    def test_text(self):
        self.assertIn("b", "abc")
"""

RESIDENT = """

def test_note_memory():
    import pathlib
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    size = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    with pathlib.Path(__file__).with_name("resident.txt").open("a") as file:
        file.write(f"{size}\\n")
"""

WITH_MODEL = """
import unittest

from rpgen import get_global_resource_pool
from rpgen.models import Checkpoint

CHECKPOINT = Checkpoint("bert-base-uncased", model_type="bert", weights="tiny")


class TestModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pool = get_global_resource_pool()
        cls.model = pool.get_model("embedding", CHECKPOINT.name, constructor=CHECKPOINT.load_model)

    def test_forward(self):
        import torch

        with torch.inference_mode():
            self.model(input_ids=torch.arange(1, 9)[None])
"""


def section() -> str:
    plain, ours = _times()
    added = [1000 * (b - a) / FILES for a, b in zip(plain, ours, strict=True)]
    return "\n".join(
        [
            "## Running many files",
            "",
            f"{FILES} small files, whole processes, {ROUNDS} rounds in turn on {machine()}.",
            "",
            "| run | seconds (median) | per file (ms) |",
            "|---|---|---|",
            _row("plain pytest, one process", plain),
            _row("rpgen run", ours),
            "",
            f"Added by the supervisor: {statistics.median(added):.1f} ms per file, start-up of both"
            f" processes included (bound {ADDED_MS_LIMIT:g} ms).",
            "",
            f"| resident MB of the worker | after {EARLY} files | after {FILES} | growth |",
            "|---|---|---|---|",
            _memory("small files", SMALL),
            _memory("files with a model", WITH_MODEL),
            "",
            f"The bound for the growth is {GROWTH_MB_LIMIT:g} MB.",
        ]
    )


def _write(folder: Path, source: str) -> None:
    for number in range(FILES):
        (folder / f"test_{number:03}.py").write_text(source)


def _times() -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, SMALL)
        taken = in_turn({"plain": [[*PYTEST, "."]], "ours": [[*RPGEN, "run", "."]]}, folder, ROUNDS)
    return taken["plain"], taken["ours"]


def _memory(name: str, source: str) -> str:
    with tempfile.TemporaryDirectory() as here:
        folder = Path(here)
        _write(folder, source + RESIDENT)
        seconds([*RPGEN, "run", "."], folder)
        sizes = [int(line) / 1024 for line in (folder / "resident.txt").read_text().split()]
    early, late = sizes[EARLY - 1], sizes[FILES - 1]
    return f"| {name} | {early:.0f} | {late:.0f} | {late - early:.1f} |"


def _row(name: str, times: list[float]) -> str:
    median = statistics.median(times)
    return f"| {name} | {median:.2f} | {1000 * median / FILES:.1f} |"
