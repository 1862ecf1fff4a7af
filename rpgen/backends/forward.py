"""The forward pass of one model on a target: prepared when it is first called for such inputs.

forward(input_ids [2, 9], attention_mask [2, 9])   prepared, compared with torch
forward(input_ids [1, 4], attention_mask [1, 4])   the same one where sizes may change,
                                                   compared with torch once more
forward(..., past_key_values=cache)                another structure: prepared anew
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.backends.base import Backend, BackendError, ModelIdentity, Prepared, Target
from rpgen.backends.call import FlatCall, flat_call
from rpgen.backends.figures import Difference, Figures, difference, summed
from rpgen.backends.structure import (
    UnknownPartError,
    put_together,
    signature,
    take_apart,
)
from rpgen.backends.tracing import forget_recordings

logger = logging.getLogger("rpgen.backends")

MOST_COMPARED = 16
"""Sizes of inputs for which the result is compared with torch's, which costs a run of torch."""


class DrawsError(BackendError):
    """The model draws random numbers, which no two backends draw alike."""


@dataclass
class _Ready:
    """A preparation, and the sizes it has been compared for."""

    prepared: Prepared
    call: FlatCall
    structure: str
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    compared: set[tuple[tuple[int, ...], ...]] = field(default_factory=set)

    def takes(self, structure: str, tensors: Mapping[str, Any]) -> bool:
        if structure != self.structure:
            return False
        same_kind = all(str(each.dtype) == self.dtypes[n] for n, each in tensors.items())
        return same_kind and all(self._fits(n, tuple(each.shape)) for n, each in tensors.items())

    def _fits(self, name: str, shape: tuple[int, ...]) -> bool:
        """A size of 1 broadcasts, so one that was recorded larger is no proof for it, unless it
        is that of the batch, for which both were tried."""
        example = self.shapes[name]
        free = (self.prepared.sizes or {}).get(name, example)
        return len(shape) == len(example) and all(
            size == was or (may is None and (size > 1 or (axis == 0 and len(shape) > 1)))
            for axis, (size, was, may) in enumerate(zip(shape, example, free, strict=True))
        )


def _copies(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Ordinary tensors, also of those that were made in torch's inference mode."""
    import torch

    with torch.inference_mode(False):
        return {name: torch.clone(each.detach()) for name, each in tensors.items()}


class Forward:
    """`model` is the torch model, whose own forward is the reference. Thread-safe; `changed` is
    called after each preparation, with no lock held. Beyond `most_prepared` the preparation that
    was used longest ago goes: each holds a copy of the weights."""

    def __init__(
        self,
        model: Any,
        target: Target,
        identity: ModelIdentity,
        backend: Backend,
        most_prepared: int = 8,
    ) -> None:
        self.target = target
        self.changed: Callable[[], None] = lambda: None
        self._model, self._identity, self._backend = model, identity, backend
        self._most_prepared = most_prepared
        self._ready: list[_Ready] = []
        self._gone: list[Any] = []
        self._worst: Difference | None = None
        self._compared = 0
        self._lock = threading.RLock()

    def __call__(self, given: Mapping[str, Any]) -> Any:
        """The model's output for these arguments. Raises BackendError."""
        try:
            tensors, taken = take_apart(dict(given), "")
        except UnknownPartError as error:
            raise BackendError(f"{self.target} can't take this input: {error}") from error
        if "past_key_values" in given and not any(n.startswith("past_key") for n in tensors):
            given = {n: part for n, part in given.items() if n != "past_key_values"}  # it is empty
            tensors, taken = take_apart(dict(given), "")
        structure = signature(taken)
        with self._lock:
            known = next((r for r in self._ready if r.takes(structure, tensors)), None)
            ready = known or self._prepare(given, structure, tensors)
            self._ready.remove(ready)
            self._ready.append(ready)  # used last
        found = ready.prepared.run(tensors)
        self._compare(ready, given, tensors, found)
        if known is None:
            self.changed()
        return put_together(ready.call.output, found)

    def _prepare(
        self, given: Mapping[str, Any], structure: str, tensors: Mapping[str, Any]
    ) -> _Ready:
        if not tensors:
            raise BackendError(f"{self.target} takes tensors, and there is none among the inputs")
        call = self._flat(given)
        example = _copies(tensors)
        logger.info("Preparing %s for %s", self._identity.name, self.target)
        try:
            prepared = self._backend.prepare(call, example, self.target, self._identity)
        finally:
            forget_recordings()
        shapes = {name: tuple(each.shape) for name, each in tensors.items()}
        dtypes = {name: str(each.dtype) for name, each in tensors.items()}
        while len(self._ready) >= self._most_prepared:
            self._retire(self._ready[0])
        ready = _Ready(prepared, call, structure, shapes, dtypes)
        self._ready.append(ready)
        return ready

    def _flat(self, given: Mapping[str, Any]) -> FlatCall:
        import torch

        generator: Any = torch.default_generator
        before = generator.get_state()
        try:
            call = flat_call(self._model, given)
        except UnknownPartError as error:
            raise BackendError(f"{self.target} can't give this output: {error}") from error
        finally:
            drawn = not torch.equal(before, generator.get_state())
            generator.set_state(before)
        if drawn:
            raise DrawsError(
                f"the model draws random numbers, and {self.target} would draw others than torch"
            )
        return call

    def _compare(
        self, ready: _Ready, given: Mapping[str, Any], tensors: Mapping[str, Any], found: Any
    ) -> None:
        """With torch's eager result on the CPU, once for each size of inputs."""
        sizes = tuple(tuple(each.shape) for each in tensors.values())
        with self._lock:
            if sizes in ready.compared or self._compared >= MOST_COMPARED:
                return
            ready.compared.add(sizes)
            first = len(ready.compared) == 1
            self._compared += 1
        reference = ready.call.reference if first else flat_call(self._model, given).reference
        worst = difference(found, reference)
        with self._lock:
            self._worst = worst.larger(self._worst) if worst else self._worst

    def _retire(self, ready: _Ready) -> None:
        self._ready.remove(ready)
        self._gone.append(ready.prepared.describe())
        ready.prepared.release()

    def figures(self, cache: str | None = None) -> Figures:
        with self._lock:
            told = [*self._gone, *(ready.prepared.describe() for ready in self._ready)]
            return summed(str(self.target), told, self._worst, self._compared, cache)

    @property
    def held_copies(self) -> int:
        """How many preparations hold a copy of the weights."""
        return len(self._ready)

    def release(self) -> None:
        with self._lock:
            while self._ready:
                self._retire(self._ready[0])
