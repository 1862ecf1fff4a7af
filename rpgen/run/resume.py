"""Going on with a run that was cut off: what was asked for, from its journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rpgen.errors import UsageError
from rpgen.run import events
from rpgen.run.journal import read
from rpgen.run.request import RunRequest
from rpgen.run.schedule import Target
from rpgen.run.state import RunFolder, last_asked


@dataclass(frozen=True)
class Interrupted:
    """A run to go on with. `targets` is None where it was cut off before it knew its files."""

    folder: RunFolder
    request: RunRequest
    targets: Sequence[Target] | None


def latest_to_resume() -> Interrupted:
    """The latest run of this folder. `UsageError` where there is none, or it is elsewhere's."""
    folder = last_asked()
    if folder is None:
        raise UsageError("there is no run to resume here: start one with `rpgen run PATH...`")
    asked: events.RunAsked | None = None
    targets: tuple[Target, ...] | None = None
    for event in read(folder.journal):
        if isinstance(event, events.RunAsked):
            asked = event
        elif isinstance(event, events.RunStarted):
            targets = tuple(Target.from_dict(values) for values in event.targets)
    if asked is None:
        raise UsageError(f"the run {folder.run} left nothing to go on with; start it again")
    if Path(asked.folder) != Path.cwd():
        raise UsageError(f"the run {folder.run} was started in {asked.folder}; resume it there")
    return Interrupted(folder, RunRequest.from_dict(asked.options), targets)
