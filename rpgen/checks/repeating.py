"""Running a model twice: nothing drawn, nothing carried over, nothing kept, nothing changed."""

import gc
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rpgen.checks.compare import assert_same
from rpgen.checks.level import scale_now
from rpgen.checks.running import Inputs
from rpgen.checks.state import restore_switches, switches_now
from rpgen.checks.tensors import copied, named_tensors

Forward = Callable[[Inputs], Any]


def assert_repeatable(
    forward: Forward,
    inputs: Inputs,
    other: Inputs | None = None,
    model: torch.nn.Module | None = None,
) -> None:
    """Two runs on one input agree, and the input is afterwards as it was.

    A run on the `other` input in between must neither change the first result (a buffer used
    twice) nor show in the next one (something carried over).
    """
    before = copied(inputs)
    first = forward(inputs)
    kept = copied(first)
    assert_untouched(inputs, before)
    if other is not None:
        forward(other)
        assert_same(first, kept, "the first result, after another run", model)
    what = "a second run" if other is None else "the run after one on another input"
    for _ in range(scale_now().runs):
        again = forward(copied(before))
        try:
            assert_same(again, kept, what, model)
        except AssertionError:  # carried over from the other input, or drawn anew each time?
            assert_same(forward(copied(before)), again, "two runs in a row on one input", model)
            raise


def assert_untouched(inputs: Inputs, before: Inputs) -> None:
    """The tensors of `inputs` are what they were when `before` was copied from them."""
    was = dict(named_tensors(before, "inputs"))
    for name, tensor in named_tensors(inputs, "inputs"):
        if tensor.shape != was[name].shape or not torch.equal(tensor, was[name]):
            raise AssertionError(f"{name} was changed by the model")


def assert_leaves_torch_alone(
    forward: Forward, inputs: Inputs, since: Mapping[str, Any] | None = None
) -> None:
    """A run flips none of torch's global switches and draws no random numbers.

    `since` are the switches as they were before the model was first used; what is flipped
    once is flipped for all that follows.
    """
    switches, state = since or switches_now(), torch.get_rng_state()
    torch.rand(3)  # the generator may stand where the model would set it
    drawn = torch.get_rng_state()
    forward(inputs)
    untouched = torch.equal(torch.get_rng_state(), drawn)
    torch.set_rng_state(state)
    flipped = restore_switches(switches)
    if flipped:
        raise AssertionError(f"the model changed {', '.join(flipped)}")
    if not untouched:
        raise AssertionError("the model drew random numbers, or seeded the generator")


def assert_keeps_no_memory(forward: Forward, inputs: Inputs) -> None:
    """Nothing that a run makes outlives its result, however often the model is run.

    What the first run makes and keeps (tables, masks) is allowed, and so is a memory of the
    last run; tensors of a run that are still there after the next one add up.
    """
    for _ in range(1 + scale_now().runs):  # the first of these may be the model's first run
        former = _made_by(forward, inputs)
        latest = _made_by(forward, inputs)
        if not (_alive(former) and _alive(latest)):
            return
    gc.collect()
    kept = _alive(former)
    if kept and _alive(latest):
        size = sum(tensor.numel() * tensor.itemsize for tensor in kept) / 2**20
        shapes = sorted({str(tuple(tensor.shape)) for tensor in kept})
        raise AssertionError(
            f"each run leaves {len(kept)} tensors behind ({size:.3f} MB),"
            f" shapes {', '.join(shapes[:3])}"
        )


class _Recorder(TorchDispatchMode):  # type: ignore[misc]
    """Remembers every tensor that is made, without keeping any."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref[torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, (tuple, list)) else (result,):
            given = any(each is argument for argument in args)  # changed in place, or as it was
            if isinstance(each, torch.Tensor) and not given:
                self.made.append(weakref.ref(each))
        return result


def _made_by(forward: Forward, inputs: Inputs) -> list["weakref.ref[torch.Tensor]"]:
    with _Recorder() as recorder:
        forward(inputs)
    made: list[weakref.ref[torch.Tensor]] = recorder.made
    return made


def _alive(made: list["weakref.ref[torch.Tensor]"]) -> list[torch.Tensor]:
    return [tensor for each in made if (tensor := each()) is not None]
