"""What a model returns: fields, shapes, dtypes, finite values."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rpgen.checks.tensors import named_tensors, place_of

_FAINT = torch.finfo(torch.float16).tiny


def assert_finite(outputs: Any) -> None:
    """No NaN and no infinity in any floating tensor of `outputs`, however deeply nested.

    `outputs` is a transformers ModelOutput, a tensor, or a mapping or sequence of those. That
    there is no floating tensor at all is a failure too. Of logits and classes, one that is -inf
    throughout is shut out (a word that no text has) and counts as finite.
    """
    seen = 0
    for name, tensor in named_tensors(outputs):
        if not tensor.is_floating_point():
            continue
        seen += 1
        finite = torch.isfinite(tensor)
        if name.endswith(("logits", "class")):
            finite = finite | _shut_out(tensor)
        if not bool(finite.all()):
            wrong = ~finite
            place = list(place_of(wrong.int().argmax(), tensor))
            count = int(wrong.sum())
            raise AssertionError(
                f"{name}: {count} of {tensor.numel()} values are NaN or infinite, first at {place}"
            )
    if not seen:
        raise AssertionError("the outputs hold no floating tensor")


def _shut_out(logits: torch.Tensor) -> torch.Tensor:
    """Where an entry of the last dimension is -inf for all, and another is not."""
    always = (logits == -torch.inf).flatten(0, -2).all(0) if logits.dim() > 1 else None
    if always is None or bool(always.all()):
        return torch.zeros_like(logits, dtype=torch.bool)
    return always.expand_as(logits)


def assert_alive(outputs: Any) -> None:
    """No output has faded away: the largest value of each is one that float16 holds in full.

    Random weights of too small a spread let a signal die out in a deep model, and nothing that
    is asked of the result is a test then. What is 0 throughout was not asked for, and a loss
    may be as small as it likes.
    """
    for name, tensor in named_tensors(outputs):
        if not tensor.is_floating_point() or not tensor.numel() or name.endswith("loss"):
            continue
        largest = float(tensor.abs().max())
        if 0 < largest < _FAINT:
            raise AssertionError(f"{name} has faded to {largest:.3g}, less than {_FAINT:.2g}")


def assert_shape(tensor: torch.Tensor, expected: Sequence[int | None], what: str) -> None:
    """`tensor` has the expected shape; None stands for a size that may be anything."""
    if not isinstance(tensor, torch.Tensor):
        raise AssertionError(f"{what} is {tensor!r} and no tensor")
    actual = tuple(tensor.shape)
    fits = len(actual) == len(expected) and all(
        want is None or have == want for have, want in zip(actual, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise AssertionError(f"{what} has shape {actual} instead of ({wanted})")


def assert_dtype(outputs: Any, expected: torch.dtype) -> None:
    """Every floating tensor of `outputs` is in the dtype that the model computes in.

    float32 is allowed beside a half type: sums and losses are often kept in it.
    """
    allowed = {expected, torch.float32} if expected.itemsize < 4 else {expected}
    for name, tensor in named_tensors(outputs):
        if tensor.is_floating_point() and tensor.dtype not in allowed:
            raise AssertionError(f"{name} is in {tensor.dtype}, the model is in {expected}")


def main_output(outputs: Any) -> torch.Tensor:
    """The tensor that a model is asked for: its logits, else its first floating tensor."""
    logits = getattr(outputs, "logits", None)
    if isinstance(logits, torch.Tensor):
        return logits
    for name, tensor in named_tensors(outputs):
        if tensor.is_floating_point() and tensor.dim() > 0 and not name.endswith(".loss"):
            return tensor
    raise AssertionError("the outputs hold no floating tensor")


def assert_named_fields(outputs: Any) -> None:
    """A model's output is a mapping of named fields, as transformers returns by default."""
    if not isinstance(outputs, Mapping):
        raise AssertionError(f"the output is a {type(outputs).__name__} without named fields")
