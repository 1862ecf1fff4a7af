"""The engines by name; `interface` has what they offer."""

from collections.abc import Callable

from rpgen.run.division import divide, how_many, look
from rpgen.run.engines.interface import Engine, LostWorkerError, Slot, WorkerHandle
from rpgen.run.engines.local import LocalEngine
from rpgen.run.request import RunRequest


def _local(request: RunRequest) -> Engine:
    """This machine, divided among as many workers as are asked for or as there are GPUs."""
    environment = request.environment()
    here = look(environment, request.device)
    return LocalEngine(divide(how_many(request.workers, here), here, environment))


def _ray(request: RunRequest) -> Engine:
    """The machines of a Ray cluster."""
    from rpgen.run.engines.on_ray import RayEngine

    workers = request.workers if isinstance(request.workers, int) else None
    return RayEngine(request.address, workers)


ENGINES: dict[str, Callable[[RunRequest], Engine]] = {"local": _local, "ray": _ray}

__all__ = ["ENGINES", "Engine", "LostWorkerError", "Slot", "WorkerHandle"]
