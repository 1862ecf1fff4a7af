"""What prepared models share: runs are counted and timed, and nothing runs after the end."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rpgen.backends.base import BackendError, Description, Sizes


class PreparedModel(ABC):
    """Derive, compute and describe. `described` is what is known before the first run; `sizes`
    as in `Prepared`."""

    def __init__(self, described: Description, sizes: Sizes | None = None) -> None:
        self._described = described
        self.sizes = sizes
        self._seconds = 0.0
        self._runs = 0
        self._released = False
        self._one_at_a_time = threading.Lock()

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._one_at_a_time:
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
        with self._one_at_a_time:
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
