"""The forward pass of one model on a target: prepared when it is first called for such inputs.

forward(input_ids [2, 9], attention_mask [2, 9])   prepared, compared with torch
forward(input_ids [1, 4], attention_mask [1, 4])   the same one where sizes may change,
                                                   compared with torch once more
forward(..., past_key_values=cache)                another structure: prepared anew
forward(...) after model.train(), or new weights   another model: prepared anew
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rpgen.backends.account import Account, Key
from rpgen.backends.base import (
    Backend,
    BackendError,
    FallbackError,
    LostError,
    ModelIdentity,
    NotPreparedError,
    Prepared,
    Target,
)
from rpgen.backends.call import FlatCall, flat_call
from rpgen.backends.figures import differences
from rpgen.backends.steadiness import unsteady
from rpgen.backends.structure import (
    Structure,
    UnknownPartError,
    put_together,
    signature,
    take_apart,
)
from rpgen.backends.tracing import forget_recordings
from rpgen.models.rounding import layers_of

logger = logging.getLogger("rpgen.backends")

_numbers = itertools.count(1)


class DrawsError(BackendError):
    """The model draws random numbers, which no two backends draw alike."""


class OtherResultError(BackendError):
    """A backend gives another result than torch, by more than rounding explains."""


@dataclass(frozen=True)
class _State:
    """What of a model is in a preparation: which parts train, and its very weights."""

    modes: tuple[bool, ...]
    weights: tuple[tuple[int, int], ...]


def _state_of(model: Any) -> _State:
    return _State(
        tuple(each.training for each in model.modules()),
        tuple(
            (each.data_ptr(), 0 if each.is_inference() else each._version)
            for each in model.parameters()
        ),
    )


@dataclass(eq=False)
class _Ready:
    """A preparation, what it was made of, and how many calls use it right now."""

    prepared: Prepared
    call: FlatCall
    structure: str
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    state: _State
    number: int
    users: int = 0

    def takes(self, structure: str, tensors: Mapping[str, Any], state: _State) -> bool:
        if structure != self.structure or state != self.state:
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


@dataclass(frozen=True)
class _Given:
    """The arguments of a call, as they are and as tensors by name."""

    arguments: Mapping[str, Any]
    tensors: Mapping[str, Any]
    taken: Structure

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(each.shape) for each in self.tensors.values())


def _given(arguments: Mapping[str, Any]) -> _Given:
    tensors, taken = take_apart(dict(arguments), "")
    if "past_key_values" in arguments and not any(n.startswith("past_key") for n in tensors):
        rest = {n: part for n, part in arguments.items() if n != "past_key_values"}  # it is empty
        return _given(rest)
    return _Given(arguments, tensors, taken)


def _copies(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Ordinary tensors, also of those that were made in torch's inference mode."""
    import torch

    with torch.inference_mode(False):
        return {name: torch.clone(each.detach()) for name, each in tensors.items()}


class Forward:
    """`model` is the torch model, whose own forward is the reference. Thread-safe; `changed` is
    called after each preparation, with no lock held. Beyond `most_prepared` the preparation that
    was used longest ago goes: each holds a copy of the weights.

    `account` gives the account of the moment; `part` is this forward's place in it.
    """

    def __init__(
        self,
        model: Any,
        target: Target,
        identity: ModelIdentity,
        backend: Backend,
        account: Callable[[], Account],
        *,
        part: int = 0,
        most_prepared: int = 8,
    ) -> None:
        self.target = target
        self.changed: Callable[[], None] = lambda: None
        self._model, self._identity, self._backend = model, identity, backend
        self._account, self._part, self._most_prepared = account, part, most_prepared
        self._depth = layers_of(getattr(model, "config", None))
        self._ready: list[_Ready] = []
        self._lock = threading.RLock()
        self._preparing = threading.Lock()  # held while one is made; never together with a run

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """The model's output for these arguments. Raises BackendError."""
        try:
            given = _given(arguments)
        except UnknownPartError as error:
            raise NotPreparedError(f"{self.target} can't take this input: {error}") from error
        account = self._account()
        with self._using(given, account) as (ready, is_new):
            began = time.perf_counter()
            found = ready.prepared.run(given.tensors)
            took = time.perf_counter() - began
        account.ran(ready.number, self._part, ready.prepared.describe(), took)
        self._compare(account, ready, given, found, is_new)
        return put_together(ready.call.output, found)

    @contextmanager
    def _using(self, given: _Given, account: Account) -> Iterator[tuple[_Ready, bool]]:
        """A preparation that takes this, and whether it was made for it just now. It isn't
        released before the end."""
        structure, state = signature(given.taken), _state_of(self._model)
        ready, is_new = self._known(structure, given, state), False
        if ready is None:
            with self._preparing:  # another thread may have made it meanwhile
                ready = self._known(structure, given, state)
                if ready is None:
                    ready, is_new = self._prepare(given, structure, state), True
        try:
            if is_new:
                account.prepared(ready.prepared.describe())
                self.changed()
            yield ready, is_new
        finally:
            with self._lock:
                ready.users -= 1

    def _known(self, structure: str, given: _Given, state: _State) -> _Ready | None:
        with self._lock:
            takes = (r for r in self._ready if r.takes(structure, given.tensors, state))
            ready = next(takes, None)
            if ready is not None:
                ready.users += 1
                self._ready.remove(ready)
                self._ready.append(ready)  # used last
            return ready

    def _prepare(self, given: _Given, structure: str, state: _State) -> _Ready:
        tensors = given.tensors
        if not tensors:
            raise NotPreparedError(
                f"{self.target} takes tensors, and there is none among the inputs"
            )
        call = self._flat(given.arguments)
        logger.info("Preparing %s for %s", self._identity.name, self.target)
        try:
            prepared = self._backend.prepare(call, _copies(tensors), self.target, self._identity)
        except (LostError, FallbackError):
            raise
        except BackendError as error:
            raise NotPreparedError(str(error)) from error
        finally:
            forget_recordings()
        shapes = {name: tuple(each.shape) for name, each in tensors.items()}
        dtypes = {name: str(each.dtype) for name, each in tensors.items()}
        ready = _Ready(prepared, call, structure, shapes, dtypes, state, next(_numbers), users=1)
        with self._lock:
            self._make_room(state)
            self._ready.append(ready)
        return ready

    def _make_room(self, state: _State) -> None:
        """Weights that were there before never come again; of the others those go that were used
        longest ago."""
        idle = [ready for ready in self._ready if not ready.users]
        for ready in [each for each in idle if each.state.weights != state.weights]:
            self._retire(ready)
            idle.remove(ready)
        for ready in idle[: max(0, len(self._ready) + 1 - self._most_prepared)]:
            self._retire(ready)

    def _flat(self, arguments: Mapping[str, Any]) -> FlatCall:
        import torch

        generator: Any = torch.default_generator
        before = generator.get_state()
        try:
            call = flat_call(self._model, arguments)
        except UnknownPartError as error:
            raise NotPreparedError(f"{self.target} can't give this output: {error}") from error
        finally:
            drawn = not torch.equal(before, generator.get_state())
            generator.set_state(before)
        if drawn:
            raise DrawsError(
                f"the model draws random numbers, and {self.target} would draw others than torch"
            )
        return call

    def _compare(
        self, account: Account, ready: _Ready, given: _Given, found: Any, is_new: bool
    ) -> None:
        """With torch's eager result on the CPU, once for each size of inputs. What a preparation
        was made with is that of its first call, and no other's."""
        key: Key = ready.number, given.sizes
        if account.is_due(key, is_free=is_new):
            try:
                self._judge(account, key, ready.call if is_new else None, given, found)
            except BaseException:
                account.not_compared(key)
                raise
        if (wrong := account.wrong(key)) is not None:
            raise OtherResultError(wrong)

    def _judge(
        self, account: Account, key: Key, call: FlatCall | None, given: _Given, found: Any
    ) -> None:
        reference = (call or flat_call(self._model, given.arguments)).reference
        apart = differences(found, reference, self._depth)
        beyond = [each for each in apart if each.is_beyond]
        wrong = None
        if beyond:
            moving = unsteady(self._model, given.arguments, reference, self._depth)
            for each in beyond:
                if each.output in moving:
                    account.note(f"rounding alone moves torch's own {each.output}: {each}")
            steady = [str(each) for each in beyond if each.output not in moving]
            wrong = f"{self.target} differs from torch by {'; '.join(steady)}" if steady else None
        account.compared(key, apart, wrong)

    def _retire(self, ready: _Ready) -> None:
        self._ready.remove(ready)
        ready.prepared.release()

    @property
    def held_copies(self) -> int:
        """How many preparations hold a copy of the weights."""
        return len(self._ready)

    def release(self) -> None:
        with self._lock:
            while self._ready:
                self._retire(self._ready[0])
