"""What prepared models share: runs are counted and timed, and nothing runs after the end."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rpgen.backends.base import BackendError, Description
from rpgen.backends.tracing import Sizes


class PreparedModel(ABC):
    """Derive, compute and describe. `described` is what is known before the first run; `sizes`
    as in `Prepared`."""

    def __init__(self, described: Description, sizes: Sizes | None = None) -> None:
        self._described = described
        self.sizes = sizes
        self._seconds = 0.0
        self._runs = 0
        self._released = False

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._released:
            raise BackendError(f"{self._described.computed_by}: the model was released")
        began = time.perf_counter()
        found = self._compute(inputs)
        self._seconds += time.perf_counter() - began
        self._runs += 1
        return found

    def describe(self) -> Description:
        mean = self._seconds / self._runs if self._runs else None
        return replace(self._described, run_seconds=mean, runs=self._runs)

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._free()

    @abstractmethod
    def _compute(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]: ...

    @abstractmethod
    def _free(self) -> None: ...


def arrays(inputs: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The inputs of these names as NumPy arrays that lie in one piece."""
    return {name: inputs[name].detach().cpu().contiguous().numpy() for name in names}


def tensor(array: Any) -> Any:
    """A tensor that shares no memory with the array."""
    import numpy
    import torch

    return torch.from_numpy(numpy.array(array))


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, with its kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
