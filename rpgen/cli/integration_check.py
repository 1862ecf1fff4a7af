"""`rpgen detect --check`: every part on its own, and all of them together on a tiny model."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rpgen.errors import ExitCode, RpgenError

MODEL = "bert-base-uncased"
POOL_TIMEOUT = 120.0  # seconds; importing torch on a slow disk is most of it
RUN_TIMEOUT = 300.0

PARTS = (
    "rpgen.classification",
    "rpgen.hardware.detector",
    "rpgen.placement.choose",
    "rpgen.models.checkpoint",
    "rpgen.pool.pool",
    "rpgen.checks",
    "rpgen.generate.generate",
    "rpgen.run.worker",
    "rpgen.run.pytest_plugin",
    "rpgen.resource_pool",
    "rpgen.hardware_detection",
    "rpgen.model_family_classifier",
)
"""What must be importable; looked up, not imported, because some of it brings torch."""

_POOL_CODE = """
from rpgen import get_global_resource_pool
pool = get_global_resource_pool()
made = pool.get_resource("check", "value", constructor=lambda: ["made once"])
again = pool.get_resource("check", "value", constructor=lambda: ["made twice"])
assert made is again and made == ["made once"], "a second request made a second object"
stats = pool.get_stats()
print(f"{stats['hits']} hit, {stats['misses']} miss, {stats['cached_resources']} resource")
pool.clear()
"""


class StepError(Exception):
    """A step came out wrong; the message says how."""


@dataclass(frozen=True)
class StepResult:
    step: str
    ok: bool
    detail: str
    seconds: float


def parts_present() -> str:
    """Modules, templates and the database."""
    from importlib.util import find_spec

    from rpgen.families import Family, template_name
    from rpgen.generate.render import SUFFIX
    from rpgen.paths import model_database_file, templates_folder

    missing = [name for name in PARTS if find_spec(name) is None]
    templates = {template_name(family) + SUFFIX for family in (*Family, None)}
    files = [*(templates_folder() / name for name in sorted(templates)), model_database_file()]
    missing += [path.name for path in files if not path.is_file()]
    if missing:
        raise StepError(f"missing: {', '.join(missing)}; install rpgen again")
    return f"{len(PARTS)} modules, {len(templates)} templates, {model_database_file().name}"


def pool_works() -> str:
    return _child([sys.executable, "-c", _POOL_CODE], POOL_TIMEOUT).splitlines()[-1]


def hardware_is_detected() -> str:
    from rpgen.hardware.detector import detect
    from rpgen.hardware.types import Backend

    found = detect()
    usable = [str(name) for name, report in found.backends.items() if report.available]
    if Backend.CPU not in usable:
        raise StepError(f"the processor is not usable: {found.report(Backend.CPU).reason}")
    return f"available: {', '.join(usable)}"


def model_is_classified() -> str:
    from rpgen.families import Family
    from rpgen.hardware.cache import snapshot
    from rpgen.hardware_detection import outlook_of

    found = outlook_of(MODEL, snapshot(None))
    answer = found.classification
    if answer.family is not Family.EMBEDDING:
        raise StepError(f"{MODEL} came out as {answer.family}, not as {Family.EMBEDDING}")
    return f"{MODEL}: {answer.family} ({answer.confidence:.2f}, by {answer.source})"


def all_together() -> str:
    """Generate a test for a tiny model, run it, and read the report."""
    with tempfile.TemporaryDirectory(prefix="rpgen-check-") as folder:
        test_file = _generated(Path(folder))
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "rpgen", "run", str(test_file), "--json", str(report)]
        _child(command, RUN_TIMEOUT, {"RPGEN_STATE_DIR": str(Path(folder) / "state")})
        summary = json.loads(report.read_text(encoding="utf-8"))["summary"]
    if summary["passed"] == 0:
        raise StepError(f"no test passed: {summary}")
    return f"{test_file.name}: {summary['passed']} of {summary['tests']} tests passed"


def _generated(folder: Path) -> Path:
    from rpgen.generate.generate import Generator, Settings
    from rpgen.generate.plan import Wishes
    from rpgen.generate.render import Renderer
    from rpgen.model_database import load

    generator = Generator(Renderer(None), load(), Settings(folder))
    outcome = generator.generate(MODEL, Wishes(weights="tiny"))
    if outcome.path is None:
        raise StepError(f"no test was generated: {outcome.reason}")
    return outcome.path


STEPS: dict[str, Callable[[], str]] = {
    "required parts": parts_present,
    "resource pool": pool_works,
    "hardware detection": hardware_is_detected,
    "model classification": model_is_classified,
    "all together": all_together,
}


def run_check(told: Callable[[StepResult], None] | None = None) -> list[StepResult]:
    """Run every step, whatever becomes of the ones before; `told` hears of each."""
    results = []
    for name, step in STEPS.items():
        start = time.monotonic()
        try:
            ok, detail = True, step()
        except (StepError, RpgenError) as error:
            ok, detail = False, str(error)
        except Exception as error:  # noqa: BLE001 - what is broken is what this command tells
            ok, detail = False, f"{type(error).__name__}: {error}"
        results.append(StepResult(name, ok, detail, round(time.monotonic() - start, 2)))
        if told:
            told(results[-1])
    return results


def check_and_print(*, as_json: bool, debug: bool) -> int:
    results = run_check(None if as_json else lambda result: _print_line(result, debug))
    failed = [result for result in results if not result.ok]
    if as_json:
        document = {"schema": 1, "ok": not failed, "steps": [asdict(r) for r in results]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        end = "all parts work together" if not failed else f"{len(failed)} of {len(results)} failed"
        print(end)
    return ExitCode.FAILED if failed else ExitCode.OK


def _print_line(result: StepResult, debug: bool) -> None:
    mark = "ok    " if result.ok else "FAILED"
    detail = result.detail if debug else " ".join(result.detail.split())
    print(f"{mark} {result.step}: {detail} ({result.seconds:.1f} s)", flush=True)


def _child(command: list[str], timeout: float, env: dict[str, str] | None = None) -> str:
    """What a child of this Python printed; StepError with its last words where it failed."""
    from rpgen.hardware.surroundings import run_command

    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    finished = run_command(command, timeout, {"PYTHONPATH": path, **(env or {})})
    if finished.ok:
        return finished.output.strip() or "it printed nothing"
    said = (finished.error.strip() or finished.output.strip()).splitlines()
    raise StepError(
        f"{' '.join(command[1:4])[:60]} ended with {finished.status}: "
        + ("\n".join(said[-15:]) or "no message")
    )
