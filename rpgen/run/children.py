"""Processes that tests started and did not end.

The worker makes itself the parent of its orphaned descendants (Linux), so that it sees also
those whose own parent has left.
"""

import os
import signal
import time
from pathlib import Path

from rpgen.backends.web.kept import kept_processes

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SERVANTS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "compile_worker")
"""Processes that Python and torch start once and use until the end: they are no leftovers."""


def tie_to_parent(parent: int) -> bool:
    """Die when `parent` does, and inherit orphans; False where the system can't do that."""
    import ctypes

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return False
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before the first call
        os._exit(1)
    return True


def children(proc: Path = Path("/proc")) -> list[int]:
    """The direct children of this process, ended ones that nobody waited for included."""
    tasks = proc / "self" / "task"
    try:
        texts = [(task / "children").read_text() for task in tasks.iterdir()]
    except OSError:
        return _children_without_proc()
    return [int(pid) for text in texts for pid in text.split()]


def _children_without_proc() -> list[int]:
    try:
        import psutil
    except ImportError:
        return []
    return [child.pid for child in psutil.Process().children()]


def describe(pid: int, proc: Path = Path("/proc")) -> str:
    """The command line of a process, or its name; "" where it has ended or can't be asked."""
    for name in ("cmdline", "comm"):
        try:
            said = (proc / str(pid) / name).read_bytes()
        except OSError:
            return ""
        if said:  # the first is empty for a moment while a program is being started
            return said.replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def end_children(patience: float = 2.0) -> tuple[str, ...]:
    """Kill what is still running, wait for all of it, and name it.

    Killing a process hands its own children up to this one, so it takes rounds.
    """
    named: list[str] = []
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        kept = kept_processes()  # the browser stays for the files to come
        left = [pid for pid in children() if pid not in kept and not _is_over(pid)]
        strangers = [(pid, text) for pid in left if not _serves(text := describe(pid))]
        if not strangers:
            return tuple(named)
        for pid, text in strangers:
            entry = f"process {pid}: {text[:100]}"
            if entry not in named:
                named.append(entry)
            _kill(pid)
        time.sleep(0.005)
    return tuple(named)


def _serves(command: str) -> bool:
    return any(name in command for name in _SERVANTS)


def _is_over(pid: int) -> bool:
    """Whether a child has ended; takes its exit status, so that no zombie stays."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
