"""From the options of `rpgen run` to a finished run: a new one, or one that is resumed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rpgen.run.interrupts import Interrupts
    from rpgen.run.ledger import Listener
    from rpgen.run.request import RunRequest
    from rpgen.run.results import RunResult
    from rpgen.run.schedule import Target
    from rpgen.run.state import RunFolder


@dataclass(frozen=True)
class Watching:
    """Who follows a run while it goes on."""

    listen: "Listener"
    interrupts: "Interrupts"
    warn: Callable[[str], None]


def run_anew(request: "RunRequest", watching: Watching) -> "tuple[RunResult, RunFolder]":
    from rpgen.errors import NothingRanError, UsageError
    from rpgen.run.schedule import find_targets, on_devices
    from rpgen.run.state import discard, new_run

    targets = on_devices(find_targets(request.paths, Path.cwd()), request.devices)
    request.environment()  # refuses what can't be read before anything is begun
    folder, warning = new_run()
    if warning:
        watching.warn(warning)
    try:
        return _supervised(request, targets, folder, watching), folder
    except (NothingRanError, UsageError):
        discard(folder)
        raise


def _supervised(
    request: "RunRequest", targets: "Sequence[Target]", folder: "RunFolder", watching: Watching
) -> "RunResult":
    from rpgen.run.engines import ENGINES
    from rpgen.run.file_facts import read_facts
    from rpgen.run.selection import choose_jobs
    from rpgen.run.supervisor import Supervisor

    first = read_facts(targets[0].path)
    supervisor = Supervisor(
        request,
        folder,
        lambda: choose_jobs(request, targets),
        sorted({str(target.folder) for target in targets}),
        ENGINES[request.engine](request),
        watching.listen,
        _host,
        watching.interrupts,
        needs_models=first.needs_models and not first.insists(request.environment()),
    )
    return supervisor.run()


def resume(watching: Watching) -> "tuple[RunResult, RunFolder]":
    """Go on with the latest run, with the options that it was started with."""
    from rpgen.run.engines import ENGINES
    from rpgen.run.resume import latest_to_resume
    from rpgen.run.schedule import read_jobs
    from rpgen.run.supervisor import Supervisor

    left = latest_to_resume()
    if left.targets is None:
        return run_anew(left.request, watching)
    targets = left.targets
    supervisor = Supervisor(
        left.request,
        left.folder,
        lambda: read_jobs(targets),
        sorted({str(target.folder) for target in targets}),
        ENGINES[left.request.engine](left.request),
        watching.listen,
        _host,
        watching.interrupts,
        resume=True,
    )
    return supervisor.run(), left.folder


def _host() -> dict[str, object]:
    from dataclasses import asdict

    from rpgen.hardware.detector import host_identity

    return asdict(host_identity())
