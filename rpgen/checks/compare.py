"""Two tensors, or two whole outputs: the same within rounding, or clearly not."""

import math
from typing import Any

import torch

from rpgen.checks.model import depth_of
from rpgen.checks.tensors import named_tensors, place_of
from rpgen.checks.tolerance import computed_in, shut, tolerance_for


def assert_close(
    actual: torch.Tensor,
    expected: torch.Tensor,
    what: str,
    model: torch.nn.Module | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """`actual` equals `expected` within the rounding of the model's depth and dtype.

    Shapes must agree exactly. `what` names the comparison in the message. The tolerance is
    that of `rpgen.checks.tolerance_for`; `dtype` is the one the result was computed in, by
    default the coarser one of the two tensors.
    """
    if actual.shape != expected.shape:
        raise AssertionError(
            f"{what}: shape {tuple(actual.shape)} instead of {tuple(expected.shape)}"
        )
    if actual.numel() == 0:
        raise AssertionError(f"{what}: there is nothing to compare, shape {tuple(actual.shape)}")
    if not (actual.is_floating_point() and expected.is_floating_point()):
        _assert_equal(actual, expected, what)
        return
    coarser = max(actual.dtype, expected.dtype, key=lambda d: torch.finfo(d).eps)
    allowed = tolerance_for(expected, dtype or computed_in(coarser, model), depth_of(model))
    difference = _difference(actual.detach().cpu(), expected.detach().cpu())
    broken = ~torch.isfinite(difference)
    worst = float("inf") if bool(broken.any()) else float(difference.max())
    if math.isfinite(worst) and worst <= allowed.absolute:
        return
    place = place_of(broken.int().argmax() if bool(broken.any()) else difference.argmax(), actual)
    beyond = int((broken | (difference > allowed.absolute)).sum())
    raise AssertionError(
        f"{what}: differs by {worst:.3g} at {list(place)}"
        f" ({float(actual[place]):.6g} instead of {float(expected[place]):.6g});"
        f" {beyond} of {actual.numel()} values are beyond the tolerance"
        f" {allowed.absolute:.3g} = {allowed.origin}"
    )


def _difference(actual: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """In double; none where both shut the same out, each by the limit of its own dtype, or with
    -inf."""
    alike = shut(actual) & shut(expected) & ((actual > 0) == (expected > 0))
    alike |= (actual == -torch.inf) & (expected == -torch.inf)
    return (actual.double() - expected.double()).abs().masked_fill(alike, 0.0)


def assert_same(
    actual: Any,
    expected: Any,
    what: str,
    model: torch.nn.Module | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Two outputs have the same fields, and each agrees as in `assert_close`."""
    found, wanted = dict(named_tensors(actual)), dict(named_tensors(expected))
    if found.keys() != wanted.keys():
        missing, more = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
        raise AssertionError(f"{what}: fields are missing {missing} or too many {more}")
    for name, tensor in wanted.items():
        if tensor.numel() or found[name].shape != tensor.shape:
            assert_close(found[name], tensor, f"{what}: {name}", model, dtype=dtype)


def assert_different(first: torch.Tensor, second: torch.Tensor, what: str) -> None:
    """The two differ by more than rounding: something that should matter does."""
    if first.shape != second.shape:
        return
    if not first.is_floating_point():
        changed, allowed = not torch.equal(first, second), 0.0
    else:
        allowed = tolerance_for(first, first.dtype, depth=0).absolute
        changed = bool(((first.double() - second.double()).abs() > allowed).any())
    if not changed:
        raise AssertionError(f"{what}: nothing changed (by more than {allowed:.3g})")


def _assert_equal(actual: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    wrong = actual.cpu() != expected.cpu()
    if not bool(wrong.any()):
        return
    place = place_of(wrong.int().argmax(), actual)
    raise AssertionError(
        f"{what}: {int(wrong.sum())} of {actual.numel()} values differ, first at {list(place)}:"
        f" {actual[place].item()} instead of {expected[place].item()}"
    )
