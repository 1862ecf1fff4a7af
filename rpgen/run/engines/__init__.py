"""The engines by name; `interface` has what they offer."""

from collections.abc import Callable

from rpgen.run.engines.interface import Engine, LostWorkerError, Slot, WorkerHandle
from rpgen.run.engines.local import LocalEngine

ENGINES: dict[str, Callable[[], Engine]] = {"local": LocalEngine}

__all__ = ["ENGINES", "Engine", "LostWorkerError", "Slot", "WorkerHandle"]
