"""Sees to it that no process of a run outlives its supervisor: a small process of its own.

Started as a script, with the run's id as its argument and a pipe from the supervisor as its
standard input. A line `group 123` names a process group to watch, `over 123` one that is gone,
`done` is a supervisor that leaves in good order. The end of the pipe without it means that the
supervisor was killed: then every process of the run goes. Imports what starts quickly only;
it may not import rpgen.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable

MARK = "RPGEN_WORKER"
"""The variable in the environment of a worker, and of all that its tests start: RUN:NUMBER."""

_PATIENCE_SECONDS = 30.0


def mark(run: str, worker: int) -> str:
    return f"{run}:{worker}"


def marked(value: str, proc: str = "/proc", spare: Collection[int] = ()) -> list[int]:
    """Processes whose mark is `value`, or begins with it where it ends in a colon (Linux)."""
    wanted, found = f"{MARK}={value}".encode(), []
    for name in os.listdir(proc) if os.path.isdir(proc) else ():  # noqa: PTH112, PTH208
        if not name.isdigit() or int(name) == os.getpid() or int(name) in spare:
            continue
        try:
            with open(f"{proc}/{name}/environ", "rb") as file:  # noqa: PTH123
                variables = file.read().split(b"\0")
        except OSError:
            continue
        if any(_means(each, wanted) for each in variables):
            found.append(int(name))
    return found


def _means(variable: bytes, wanted: bytes) -> bool:
    return variable.startswith(wanted) if wanted.endswith(b":") else variable == wanted


def kill_marked(value: str, proc: str = "/proc", patience: float = 2.0) -> list[int]:
    """Kill them until none is left: one may have started another meanwhile."""
    killed: list[int] = []
    deadline = time.monotonic() + patience
    while found := marked(value, proc):
        for pid in found:
            _kill(os.kill, pid)
        killed += [pid for pid in found if pid not in killed]
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    return killed


def _kill(send: Callable[[int, int], None], pid: int) -> None:
    try:
        send(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def watch(run: str, lines: Iterable[str]) -> None:
    groups: set[int] = set()
    for line in lines:
        word, _, number = line.strip().partition(" ")
        if word == "done":
            return
        if word == "group":
            groups.add(int(number))
        elif word == "over":
            groups.discard(int(number))
    for group in groups:
        _kill(os.killpg, group)
    kill_marked(f"{run}:", patience=_PATIENCE_SECONDS)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.argv[1], sys.stdin)
