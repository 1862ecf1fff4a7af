"""What a new worker is started with: the request, as far as it concerns a worker."""

import os
from collections.abc import Sequence

from rpgen.run.channel import Settings
from rpgen.run.request import RunRequest
from rpgen.run.state import RunFolder


def settings_for(
    worker: int,
    slot: int,
    request: RunRequest,
    folder: RunFolder,
    test_folders: Sequence[str],
    bad: int = 0,
) -> Settings:
    """The settings of the `worker`-th worker of a run that has had `bad` bad results so far."""
    limit = request.maxfail
    return Settings(
        run=folder.run,
        worker=worker,
        parent=os.getpid(),
        journal=str(folder.journal),
        log=str(folder.log_of(slot)),
        stack=str(folder.stack(worker)),
        pytest_cache=str(folder.path / "pytest_cache"),
        folders=tuple(test_folders),
        keyword=request.keyword,
        failures_left=max(1, limit - bad) if limit else 0,
        cleanup_age=request.cleanup_age,
        repeat=request.repeat,
        reruns=request.reruns,
        fail_on_leak=request.fail_on_leak,
    )
