"""Every argument that a model is given matters, and rows of a batch don't know each other."""

from collections.abc import Mapping
from typing import Any

import torch

from rpgen.checks.compare import assert_close, assert_different
from rpgen.checks.running import Inputs, device_of, on, run
from rpgen.checks.tensors import named_tensors


def assert_every_input_matters(model: Any, inputs: Inputs, other: Inputs) -> None:
    """With one input taken from `other`, and the rest as it was, the model says something else.

    Inputs that are equal in both (masks, grids, positions) are left alone.
    """
    given, replaced = on(inputs, device_of(model)), on(other, device_of(model))
    before = run(model, given)
    tried = 0
    for name, value in given.items():
        if not isinstance(value, torch.Tensor) or torch.equal(value, replaced[name]):
            continue
        tried += 1
        after = run(model, {**given, name: replaced[name]})
        _assert_changed(before, after, f"another {name}")
    if not tried:
        raise AssertionError("the two examples are the same: nothing can be compared")


def _assert_changed(before: Any, after: Any, what: str) -> None:
    found = dict(named_tensors(after))
    failure: AssertionError | None = None
    for name, tensor in named_tensors(before):
        if name not in found or not tensor.is_floating_point() or not tensor.numel():
            continue
        try:
            assert_different(found[name], tensor, what)
        except AssertionError as error:
            failure = error
        else:
            return
    raise failure or AssertionError(f"{what}: the outputs hold no floating tensor")


def assert_rows_stand_alone(model: Any, inputs: Inputs) -> None:
    """What a row of the batch gives does not depend on the other rows.

    Every input has one entry a row in its first axis. A loss is of the batch.
    """
    given = on(inputs, device_of(model))
    rows = _rows(given)
    together = dict(named_tensors(run(model, given)))
    for row in range(rows):
        alone = dict(named_tensors(run(model, {k: _row(v, row) for k, v in given.items()})))
        compared = 0
        for name, tensor in alone.items():
            whole = together.get(name)
            if (
                whole is None
                or not tensor.is_floating_point()
                or name.endswith("loss")
                or not _has_rows(whole, tensor, rows)
            ):
                continue
            compared += 1
            assert whole is not None
            assert_close(whole[row], tensor[0], f"{name}, row {row}", model)
        if not compared:
            raise AssertionError("no output has an entry for each row")


def _rows(given: Mapping[str, Any]) -> int:
    sizes = {v.shape[0] for v in given.values() if isinstance(v, torch.Tensor) and v.dim()}
    if len(sizes) != 1:
        raise AssertionError(f"the inputs have different numbers of rows: {sorted(sizes)}")
    return int(sizes.pop())


def _row(value: Any, row: int) -> Any:
    several = isinstance(value, torch.Tensor) and value.dim() > 0
    return value[row : row + 1] if several else value


def _has_rows(whole: torch.Tensor | None, single: torch.Tensor, rows: int) -> bool:
    if whole is None or not whole.dim() or not whole.numel():
        return False
    counted = whole.shape[0] == rows and single.shape[0] == 1
    return bool(counted and whole.shape[1:] == single.shape[1:])


def assert_arguments(found: Inputs, expected: tuple[str, ...]) -> None:
    """The inputs are those that the file speaks of."""
    if set(found) != set(expected):
        raise AssertionError(f"the inputs are {sorted(found)} instead of {sorted(expected)}")
