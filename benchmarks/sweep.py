"""The files of many types generated and run, in a folder that says what it is a sweep of.

Batches run in processes of their own (`rpgen run`), which a crash costs one result; a batch
whose report is there already is not run again, so that a sweep that was stopped goes on. It
goes on only with what it began with: the reports of two versions are no sweep of either.
"""

import hashlib
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.timing import RPGEN
from rpgen import paths
from rpgen.architectures.__main__ import all_types
from rpgen.run.division import THREADS

ROOT = Path(__file__).parent.parent
FOLDER = Path(".benchmarks") / "architectures"
BATCH = 25
TIMEOUT = 120
"""Seconds for one test of a file."""

_CODE = ("rpgen", "templates", "benchmarks")
_ORIGIN = "sweep.json"


@dataclass(frozen=True)
class Origin:
    """What a sweep is made with; `code` and `database` are hashes of what is read. The commit
    names it: another one with the same code, as of a document, is the same version."""

    commit: str
    code: str
    transformers: str
    database: str

    def differences(self, other: "Origin") -> list[str]:
        mine, its = asdict(replace(self, commit=other.commit)), asdict(other)
        return [
            f"{name} {mine[name]} is now {its[name]}" for name in mine if mine[name] != its[name]
        ]


@dataclass(frozen=True)
class Ran:
    """A sweep that is whole. `minutes` is None where it was stopped and gone on with."""

    origin: Origin
    minutes: float | None


Generate = Callable[[Path, Sequence[str]], Mapping[str, Path]]
Run = Callable[[Sequence[Path], Path, int], None]


def folder_for(types: Sequence[str], sample: int | None) -> Path:
    """A folder of their own for a sample and for single types."""
    if sample is not None:
        return FOLDER.with_name(f"{FOLDER.name}-sample-{sample}")
    if types:
        return FOLDER.with_name(f"{FOLDER.name}-of-{_digest([' '.join(types).encode()])}")
    return FOLDER


def here() -> Origin:
    """Today's commit, whether the code was changed since, and the rest."""
    import transformers

    changed = _git("status", "--porcelain", "--", *_CODE, paths.shipped_model_database().name)
    commit = _git("rev-parse", "--short=7", "HEAD") or "no commit"
    files = sorted(path for part in _CODE for path in (ROOT / part).rglob("*.[pj][y2]"))
    return Origin(
        commit + ("-dirty" if changed else ""),
        _digest(path.read_bytes() for path in files),
        str(transformers.__version__),
        _digest([paths.model_database_file().read_bytes()]),
    )


def run_sweep(
    folder: Path, types: Sequence[str], processes: int, *, anew: bool = False,
    origin: Callable[[], Origin] | None = None, generate: Generate | None = None,
    run: Run | None = None,
) -> Ran:  # fmt: skip
    """Runs what has not been run yet. Ends with one sentence where the folder holds something
    else, or where the code or the database changed on the way."""
    now = origin or here
    began, started = now(), time.monotonic()
    fresh, before = claim(folder, began, types, anew=anew), len(_reports(folder))
    files = (generate or write_files)(folder, types)
    absent = sorted(set(types) - set(files))
    if absent:
        raise SystemExit(f"no file was written for {', '.join(absent)}")
    (run or run_all)([files[name] for name in sorted(files)], folder, processes)
    changed = began.differences(now())
    if changed:
        raise SystemExit(f"{folder} is no sweep of one version: {'; '.join(changed)}: use --anew")
    if fresh:
        _write(folder, began, types, (time.monotonic() - started) / 60)
    elif len(_reports(folder)) > before:
        _write(folder, Origin(**_read(folder)["origin"]), types, None)
    known = _read(folder)
    return Ran(Origin(**known["origin"]), known["minutes"])


def claim(folder: Path, origin: Origin, types: Sequence[str], *, anew: bool) -> bool:
    """Makes the folder one of this sweep; whether nothing had been run in it."""
    reports = _reports(folder)
    if anew:
        for report in reports:
            report.unlink()
    elif reports and not (folder / _ORIGIN).exists():
        raise SystemExit(f"{folder} doesn't say what its reports are of: use --anew or --folder")
    elif reports:
        known = _read(folder)
        other = Origin(**known["origin"]).differences(origin)
        if sorted(known["types"]) != sorted(types):
            other.append(f"{len(known['types'])} types are now {len(types)}, or others")
        if other:
            raise SystemExit(
                f"{folder} holds another sweep ({'; '.join(other)}): use --anew or --folder"
            )
        return False
    _write(folder, origin, types, None)
    return True


def write_files(folder: Path, types: Sequence[str]) -> dict[str, Path]:
    """The files of these types, written anew, by type."""
    wanted = [word for name in types for word in ("--architecture", name)]
    if sorted(types) == all_types():
        wanted = ["--all-architectures"]
    return generated(folder, wanted)


def generated(folder: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """The files of what is wanted, with tiny weights, written anew, by what each is of."""
    command = [*RPGEN, "generate", "--weights", "tiny", "--output-dir", str(folder / "skills")]
    result = subprocess.run(
        [*command, "--force", "--json", *wanted], capture_output=True, text=True, check=False
    )
    try:
        told = json.loads(result.stdout)
    except json.JSONDecodeError:
        raise SystemExit(
            f"rpgen generate ended with {result.returncode}:\n{result.stderr}"
        ) from None
    return {each["model"]: Path(each["path"]) for each in told["files"]}


def run_all(files: Sequence[Path], folder: Path, processes: int) -> None:
    """Each batch's report lands in the folder as batch-N.json."""
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    reports = [folder / f"batch-{number:03d}.json" for number in range(len(batches))]
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    environment = {**os.environ, **dict.fromkeys(THREADS, threads)}
    with ThreadPoolExecutor(processes) as waiting:  # for processes
        list(waiting.map(_run, batches, reports, itertools.repeat(environment)))


def _run(batch: Iterable[Path], report: Path, environment: Mapping[str, str]) -> None:
    if report.exists():
        return
    unfinished = report.with_suffix(".unfinished")
    command = [*RPGEN, "run", *map(str, batch), "--timeout", str(TIMEOUT), "-q"]
    command += ["--json", str(unfinished)]
    subprocess.run(command, env=environment, capture_output=True, check=False)
    if unfinished.exists():
        unfinished.replace(report)


def _reports(folder: Path) -> list[Path]:
    return list(folder.glob("batch-*"))


def _write(folder: Path, origin: Origin, types: Sequence[str], minutes: float | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = {"origin": asdict(origin), "types": sorted(types), "minutes": minutes}
    (folder / _ORIGIN).write_text(json.dumps(told, indent=1), "utf-8")


def _read(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / _ORIGIN).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _digest(contents: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for content in contents:
        whole.update(content)
    return whole.hexdigest()[:12]
