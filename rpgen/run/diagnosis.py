"""Why a worker is gone, in words, from what it left: exit status, stacks, memory, log."""

import signal
from dataclasses import dataclass
from pathlib import Path

from rpgen.run.verdict import DETAILS_LIMIT, shorten

_SIGNALS = {
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error",
    "SIGABRT": "an abort",
    "SIGFPE": "an arithmetic fault",
    "SIGILL": "an illegal instruction",
    "SIGTERM": "a request to end",
}

_MACHINERY = (
    "/pluggy/",
    "/_pytest/",
    "/rpgen/run/",
    "<frozen runpy>",
    "/threading.py",
    "/unittest/case.py",
)


@dataclass(frozen=True)
class Remains:
    """`status` is the exit code or minus a signal; `oom_kills` how often the kernel has killed
    a process for memory meanwhile, None where it doesn't tell."""

    status: int
    memory_mb: float | None = None
    oom_kills: int | None = None
    stacks: str = ""


def explain(remains: Remains) -> tuple[str, str | None]:
    """What happened in a sentence, and the last stacks."""
    message = _cause(remains)
    if remains.memory_mb is not None:
        message += f"; it last held {remains.memory_mb:.0f} MB"
    return message, readable_stacks(remains.stacks)


def _cause(remains: Remains) -> str:
    if remains.status >= 0:
        return (
            f"the process ended with exit code {remains.status}, as os._exit({remains.status}) does"
        )
    try:
        name = signal.Signals(-remains.status).name
    except ValueError:
        name = f"signal {-remains.status}"
    if name == "SIGKILL":
        return _killed(remains.oom_kills)
    return f"the process crashed with {name}" + (f", {_SIGNALS[name]}" if name in _SIGNALS else "")


def _killed(oom_kills: int | None) -> str:
    if oom_kills:
        return "the kernel killed the process because memory ran out (SIGKILL)"
    if oom_kills == 0:
        return "the process was killed (SIGKILL); the kernel did not do it for memory"
    return "the process was killed (SIGKILL), as the kernel does when memory runs out"


def overdue(limit: float, doing: str, stacks: str) -> tuple[str, str | None]:
    message = f"{doing} took longer than {limit:g} s, and the worker was killed"
    return message, readable_stacks(stacks)


def stacks(file: Path) -> str:
    """What a worker wrote into its stack file, "" where it did not get so far."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def readable_stacks(text: str) -> str | None:
    """What faulthandler wrote, without the frames of pytest and of the worker itself.

    A thread of which nothing is left then, as the one that waits for commands, goes too.
    """
    kept: list[str] = []
    for line in text.splitlines():
        if line.startswith("  File ") and any(part in line for part in _MACHINERY):
            continue
        if not line.startswith("  File ") and kept and _is_thread(kept[-1]):
            kept.pop()
        if line.strip():
            kept.append(line)
    if kept and _is_thread(kept[-1]):
        kept.pop()
    return shorten("\n".join(kept), DETAILS_LIMIT) if kept else None


def _is_thread(line: str) -> bool:
    return line.startswith(("Thread 0x", "Current thread 0x"))


def oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int | None:
    """How many processes the kernel has killed for memory since it started."""
    try:
        lines = vmstat.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return int(count)
    return None
