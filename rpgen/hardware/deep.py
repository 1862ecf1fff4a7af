"""Proof by computing: a child process multiplies on each device of torch, and is watched.

A driver that hangs or crashes costs one answer: the child says which device it is about to
use, and a fresh child goes on with the rest.

    child 1   start cpu, result cpu, start cuda:0, result cuda:0, start cuda:1   (dies)
    parent    cuda:1 failed: the process crashed with signal 11
    child 2   leaves out cpu, cuda:0, cuda:1: start xpu, none xpu, ...  end
"""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from rpgen.hardware.proofs import Proof, Proofs
from rpgen.hardware.surroundings import Surroundings

TIMEOUT = 120.0  # seconds between two lines of the child: importing torch, or a cold GPU
_MOST_CHILDREN = 20

Command = Callable[[Sequence[str]], Sequence[str]]
"""From the devices to leave out to the command of a child."""


def child_command(here: Surroundings) -> Command:
    return lambda leave_out: [here.python, "-P", "-m", "rpgen.hardware.kernels", *leave_out]


def prove(
    here: Surroundings, *, command: Command | None = None, timeout: float = TIMEOUT
) -> Proofs:
    """Compute on every device that torch has here."""
    command = command or child_command(here)
    proofs: dict[str, Proof] = {}
    none: set[str] = set()
    for _ in range(_MOST_CHILDREN):
        culprit, failure = _one_child(command([*proofs, *none]), timeout, proofs, none)
        if culprit is None:
            break
        if culprit == "torch":
            return Proofs((Proof("cpu", failure=failure),))
        proofs[culprit] = Proof(culprit, failure=failure)
    return Proofs(tuple(proofs.values()), frozenset(none))


def _one_child(
    command: Sequence[str], timeout: float, proofs: dict[str, Proof], none: set[str]
) -> tuple[str | None, str]:
    """Follow one child; fills `proofs` and `none`. Returns (the device it died on, why)."""
    at = "torch"
    with tempfile.TemporaryFile() as errors, child_process(command, errors) as process:
        for line in lines_of(process, timeout):
            if line is None:
                return at, f"it gave no answer in {timeout:g} s"
            match line.get("event"):
                case "start":
                    at = line["device"]
                case "none":
                    none.add(line["device"])
                case "result":
                    proofs[line["device"]] = _proof(line)
                case "no torch":
                    return "torch", f"torch can't be imported: {line['reason']}"
                case "end":
                    return None, ""
        status = process.wait()
        return at, how_it_died(status, errors)


def child_process(command: Sequence[str], errors: IO[bytes]) -> "_Child":
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return _Child(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": path},
    )


class _Child(subprocess.Popen[bytes]):
    """A child whose whole process group is gone when the block ends, however it ends."""

    def __exit__(self, *details: Any) -> None:
        if self.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self.kill()
        super().__exit__(*details)


def lines_of(process: subprocess.Popen[bytes], timeout: float) -> Iterator[dict[str, Any] | None]:
    """The child's lines as they come; None when one is overdue, the end when it is gone."""
    received: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            received.put(line)
        received.put(b"")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = received.get(timeout=timeout)
        except queue.Empty:
            yield None
            return
        if not line:
            return
        try:
            said = json.loads(line)
        except ValueError:
            continue  # a driver's own chatter on stdout
        if isinstance(said, dict):
            yield said


def _proof(line: dict[str, Any]) -> Proof:
    capability = line["capability"]
    return Proof(
        device=line["device"],
        right=tuple(line["right"]),
        failure="; ".join(f"{name}: {why}" for name, why in line["wrong"].items()),
        hip=line["hip"],
        name=line["name"],
        total_mb=line["total_mb"],
        capability=(capability[0], capability[1]) if capability else None,
    )


def how_it_died(status: int, errors: IO[bytes]) -> str:
    if status < 0:
        return f"the process crashed with signal {-status}"
    errors.seek(0)
    said = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return f"the process ended with status {status}: {said[-1].strip() if said else 'no message'}"
