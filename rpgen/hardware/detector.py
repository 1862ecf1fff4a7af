"""Looks at this machine: every probe at once, each with a deadline of its own."""

import platform
import queue
import threading
import time
from collections.abc import Collection, Mapping

from rpgen.hardware import identity
from rpgen.hardware.memory import host_memory
from rpgen.hardware.probes import PROBES, Probe
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, HardwareSnapshot, HostIdentity, State

DEADLINE = 40.0  # seconds for all probes together; more than the longest that one waits itself


def host_identity() -> HostIdentity:
    """The identity of this machine, without probing it."""
    return identity.host_identity()


def detect(
    *,
    deep: bool = False,
    only: Collection[Backend] | None = None,
    here: Surroundings | None = None,
    probes: Mapping[Backend, Probe] = PROBES,
) -> HardwareSnapshot:
    """Detect the hardware. Imports no torch; with `deep` a child process does, and computes."""
    here = here or Surroundings()
    chosen = {
        backend: probe for backend, probe in probes.items() if only is None or backend in only
    }
    reports = run_probes(chosen, here)
    memory = host_memory(here.root)
    snapshot = HardwareSnapshot(
        host=identity.host_identity(here),
        backends=reports,
        cpu_count=identity.usable_cpus(),
        memory_total_mb=round(memory.kernel_total_mb),
        memory_limit_mb=memory.limit_mb,
        os_version=_os_version(here),
        python_version=platform.python_version(),
    )
    if not deep:
        return snapshot
    from rpgen.hardware import backend_proofs
    from rpgen.hardware.deep import prove
    from rpgen.hardware.deep_backends import prove_backends
    from rpgen.hardware.proofs import merge

    snapshot = merge(snapshot, prove(here))
    targets = backend_proofs.targets_of(snapshot)
    return backend_proofs.merge(snapshot, prove_backends(here, targets))


def run_probes(
    probes: Mapping[Backend, Probe], here: Surroundings, deadline: float = DEADLINE
) -> dict[Backend, BackendReport]:
    """Each probe in a thread of its own. One that fails or hangs costs its own answer only.

    The threads are daemons: a probe that hangs in a driver can't keep the program from ending.
    """
    answers: queue.SimpleQueue[BackendReport] = queue.SimpleQueue()
    for backend, probe in probes.items():
        arguments = (backend, probe, here, answers)
        threading.Thread(
            target=_answer, args=arguments, daemon=True, name=f"probe {backend}"
        ).start()
    found: dict[Backend, BackendReport] = {}
    end = time.monotonic() + deadline
    while len(found) < len(probes):
        try:
            report = answers.get(timeout=max(end - time.monotonic(), 0.001))
        except queue.Empty:
            break
        found[report.backend] = report
    return {backend: found.get(backend) or _hanging(backend, deadline) for backend in probes}


def _answer(
    backend: Backend,
    probe: Probe,
    here: Surroundings,
    answers: "queue.SimpleQueue[BackendReport]",
) -> None:
    try:
        answers.put(probe(here))
    except Exception as error:  # noqa: BLE001 - a probe's failure is its answer, never lost
        answers.put(_failed(backend, f"its probe failed: {type(error).__name__}: {error}"))


def _failed(backend: Backend, reason: str) -> BackendReport:
    remedy = "a bug in rpgen's probe, or a driver that is broken; --debug shows more"
    return BackendReport(backend, State.UNUSABLE, reason=reason, remedy=remedy)


def _hanging(backend: Backend, deadline: float) -> BackendReport:
    return _failed(backend, f"its probe gave no answer in {deadline:g} s")


def _os_version(here: Surroundings) -> str:
    """A name that a person knows: "Debian GNU/Linux 12 (bookworm)", "macOS 15.1"."""
    for line in (here.text("etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip("\"'")
    if here.system == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{here.system} {platform.release()}"
