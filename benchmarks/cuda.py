"""What rpgen does on an NVIDIA GPU, asked on the machine at hand.

    python -m benchmarks cuda       all questions, into docs/benchmarks.md
    python -m benchmarks.cuda NAME  one of them, here and now

Each question has a process of its own: one of them breaks the device for its process. It runs from
the source tree; what it needs beside torch and transformers are rpgen's own dependencies.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.timing import RPGEN, machine

HERE = Path(__file__).parent.parent
PATIENCE = 240.0
GB = 2**30
MB = 2**20
FAMILIES = (
    "bert-base-uncased",
    "gpt2",
    "google/vit-base-patch16-224",
    "openai/whisper-tiny",
    "openai/clip-vit-base-patch32",
)
BREAKS = """
import unittest

import torch


class TestBroken(unittest.TestCase):
    def test_an_index_outside(self):
        torch.zeros(4, device="cuda")[torch.tensor([9], device="cuda")].sum().item()
"""
WORKS = """
import unittest

import torch


class TestSum(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(torch.ones(4, device="cuda").sum().item(), 4.0)
"""


class DoesNotHoldError(AssertionError):
    """The answer isn't what rpgen promises; the message has the figures."""


def hold(promise: bool, figures: str) -> str:
    if not promise:
        raise DoesNotHoldError(figures)
    return figures


def layers(gigabytes: float) -> Any:
    """A model of that size in fp32."""
    import torch

    count = max(1, round(gigabytes * GB / (4 * 4096 * 4096)))
    with torch.device("cpu"):
        return torch.nn.Sequential(*(torch.nn.Linear(4096, 4096, bias=False) for _ in range(count)))


def placement(device: str = "cuda") -> str:
    """A model that asks for the device is there, all of it, and so is one that asks for none."""
    from rpgen.pool.pool import ResourcePool

    pool, places = ResourcePool(), {}
    for wish in (device, "auto"):
        model = pool.get_model("embedding", wish, lambda: layers(0.1), {"device": wish})
        places[wish] = {str(each.device) for each in model.parameters()}
    right = all(each and all(p.startswith(device) for p in each) for each in places.values())
    return hold(right, "; ".join(f"{wish}: {', '.join(sorted(p))}" for wish, p in places.items()))


def dtype(device: str = "cuda") -> str:
    """fp16 and bf16 as they were asked for, computed in, and close to fp32."""
    import torch

    from rpgen.models import Checkpoint
    from rpgen.pool.pool import ResourcePool

    checkpoint = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM", "bert", "tiny")
    ids, found = torch.tensor([[5, 17, 33, 8]]), {}
    pool = ResourcePool()
    for name in ("fp32", "fp16", "bf16"):
        wish = {"device": device, "precision": name}
        model = pool.get_model("embedding", checkpoint.name, checkpoint.load_model, wish)
        with torch.inference_mode():
            found[name] = model(input_ids=ids.to(device)).logits
    spread = float(found["fp32"].std())
    apart = {n: float((found[n].float() - found["fp32"]).abs().max()) / spread for n in found}
    wanted = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    right = all(found[n].dtype is kind for n, kind in wanted.items()) and max(apart.values()) < 0.1
    told = ", ".join(f"{n} {value:.1e}" for n, value in apart.items())
    return hold(right, f"relative to the spread of fp32: {told}")


def memory() -> str:
    """What the pool says that a model takes, torch's allocator, and the driver."""
    import torch

    from rpgen.pool.pool import ResourcePool

    torch.zeros(1, device="cuda")
    pool, before = ResourcePool(), torch.cuda.mem_get_info()[0]
    with pool.owner("file"):
        pool.get_model("embedding", "layers", lambda: layers(4.0), {"device": "cuda"})
        (use,) = pool.uses("file")
        allocated = torch.cuda.memory_allocated() / MB
        driver = (before - torch.cuda.mem_get_info()[0]) / MB
    pool.cleanup_unused_resources(0)
    kept = (before - torch.cuda.mem_get_info()[0]) / MB
    told = use.measured_mb or 0.0
    right = abs(told - driver) < 0.05 * driver and abs(told - allocated) < 64 and kept < 256
    figures = f"the pool {told:.0f} MB, torch {allocated:.0f} MB, the driver {driver:.0f} MB"
    return hold(right, f"{figures}; after the clean-up the driver misses {kept:.0f} MB")


def out_of_memory() -> str:
    """Idle models go first; where that isn't enough, the CPU takes it and the report says so."""
    import torch

    from rpgen.pool.pool import ResourcePool

    torch.zeros(1, device="cuda")
    pool = ResourcePool()
    with pool.owner("idle"):
        pool.get_model("embedding", "idle", lambda: layers(2.0), {"device": "cuda"})
    room = torch.cuda.mem_get_info()[0] - int(1.5 * GB)
    ballast = torch.empty(room, dtype=torch.uint8, device="cuda")
    with pool.owner("second"):
        second = pool.get_model("embedding", "second", lambda: layers(2.5), {"device": "cuda"})
        evicted = not any("idle" in key for key in pool.models)
        on_gpu = next(second.parameters()).is_cuda
    with pool.owner("third"):
        third = pool.get_model("embedding", "third", lambda: layers(8.0), {"device": "cuda"})
        degraded, device = pool.uses("third")[0].degraded, next(third.parameters()).device
    del ballast
    right = evicted and on_gpu and device.type == "cpu" and degraded is not None
    said = f"idle model evicted: {evicted}, second on the GPU: {on_gpu}"
    return hold(right, f"{said}, third on {device}: {degraded}")


def sticky_error() -> str:
    """A failed assertion in a kernel costs the test that made it, and a worker."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("test_a_breaks.py", BREAKS), ("test_b_works.py", WORKS)):
            (folder / file).write_text(text, "utf-8")
        said, files = _run(folder, "--order", "path", ".")
    outcomes = {Path(file["path"]).name: file["outcome"] for file in files}
    right = outcomes.get("test_b_works.py") == "passed"
    broken = outcomes.get("test_a_breaks.py")
    right = right and broken not in ("passed", "skipped", None)
    return hold(right, f"the file that broke it: {broken}; the next: {outcomes or said[-300:]}")


def parity(device: str = "cuda") -> str:
    """Tiny models of all families, eager and compiled, against torch on the CPU."""
    devices = f"{device},{device}+compile,onnxruntime:CUDAExecutionProvider"
    models = [word for name in FAMILIES for word in ("--model", name)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _rpgen(folder, "generate", "--weights", "tiny", *models)
        said, files = _run(folder, "--device", devices, "-k", "fresh_copy", "skills")
    cells = []
    for file in files:
        backend = file["backend"] or {}
        off = backend.get("difference")
        cells.append(
            f"{file['model']} on {file['asked']}: {file['outcome']}"
            + (f", {off:.1e} off" if off is not None else "")
        )
    right = bool(files) and all(file["outcome"] in ("passed", "skipped") for file in files)
    return hold(right, "; ".join(cells) or said[-300:])


QUESTIONS: dict[str, Callable[[], str]] = {
    "placement": placement,
    "dtype": dtype,
    "memory": memory,
    "out of memory": out_of_memory,
    "sticky error": sticky_error,
    "parity": parity,
}


def _run(folder: Path, *words: str) -> tuple[str, list[dict[str, Any]]]:
    said = _rpgen(folder, "run", "--json", "report.json", *words)
    report = folder / "report.json"
    return said, json.loads(report.read_text("utf-8"))["files"] if report.exists() else []


def _rpgen(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [*RPGEN, *words],
        cwd=folder,
        env=_environment(folder / "cache"),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr


def _environment(cache: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "HF_HUB_OFFLINE": "1",
        "RPGEN_CACHE_DIR": str(cache),
    }


def absent() -> str | None:
    """Why nothing can be asked here."""
    try:
        import torch
    except ImportError:
        return "torch isn't installed"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    return None if torch.cuda.is_available() else f"torch {torch.__version__} finds no CUDA device"


def section() -> str:
    """Empty where there is no CUDA: what was measured elsewhere stays."""
    if missing := absent():
        print(f"cuda: skipped, {missing}", file=sys.stderr)
        return ""
    import torch
    import transformers

    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return "\n".join(
        [
            "## CUDA",
            "",
            f"On {torch.cuda.get_device_name(0)}, {machine()}, {versions}.",
            "",
            "| question | holds | figures |",
            "|---|---|---|",
            *(_row(name) for name in QUESTIONS),
        ]
    )


def _row(name: str) -> str:
    with tempfile.TemporaryDirectory() as cache:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.cuda", name],
                cwd=HERE,
                env=_environment(Path(cache)),
                capture_output=True,
                text=True,
                check=False,
                timeout=2 * PATIENCE,
            )
        except subprocess.TimeoutExpired:
            return f"| {name} | no | no answer in {2 * PATIENCE:g} s |"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    last = (lines or ["it said nothing"])[-1].replace("|", "\\|")
    return f"| {name} | {'yes' if done.returncode == 0 else 'no'} | {last} |"


if __name__ == "__main__":
    print(QUESTIONS[" ".join(sys.argv[1:])]())
