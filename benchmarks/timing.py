"""Times of whole processes, taken in turn so that a machine's moods hit all alike."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

RPGEN = [sys.executable, "-m", "rpgen"]
Command = Sequence[str]


def seconds(command: Command, folder: Path) -> float:
    """Wall time of one run; the command has to succeed.

    Python may keep compiled modules, as it does for anybody who installs a package: the first,
    uncounted run makes them.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode != 0:
        output = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{output}")
    return taken


def in_turn(
    jobs: Mapping[str, Sequence[Command]], folder: Path, rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds per round for each job, a job being commands that run one after another."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(warm_up + rounds):
        for name, commands in jobs.items():
            total = sum(seconds(command, folder) for command in commands)
            if turn >= warm_up:
                taken[name].append(total)
    return taken


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def machine() -> str:
    """What the figures were taken on, without naming the host."""
    import platform

    cores = os.cpu_count()
    version = platform.python_version()
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {version}"
