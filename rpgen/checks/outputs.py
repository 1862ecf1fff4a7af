"""What a model returns: fields, shapes, finite values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch


def assert_finite(outputs: Any) -> None:
    """No NaN and no infinity in any floating tensor of `outputs`, however deeply nested.

    `outputs` is a transformers ModelOutput, a tensor, or a mapping or sequence of those. That
    there is no floating tensor at all is a failure too.
    """
    seen = 0
    for name, tensor in _named(outputs, "outputs"):
        if not tensor.is_floating_point():
            continue
        seen += 1
        finite = torch.isfinite(tensor)
        if not bool(finite.all()):
            wrong = ~finite
            flat = wrong.int().argmax().cpu()
            place = [int(i) for i in torch.unravel_index(flat, tensor.shape)]
            count = int(wrong.sum())
            raise AssertionError(
                f"{name}: {count} of {tensor.numel()} values are NaN or infinite, first at {place}"
            )
    if not seen:
        raise AssertionError("the outputs hold no floating tensor")


def assert_shape(tensor: torch.Tensor, expected: Sequence[int | None], what: str) -> None:
    """`tensor` has the expected shape; None stands for a size that may be anything."""
    actual = tuple(tensor.shape)
    fits = len(actual) == len(expected) and all(
        want is None or have == want for have, want in zip(actual, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise AssertionError(f"{what} has shape {actual} instead of ({wanted})")


def main_output(outputs: Any) -> torch.Tensor:
    """The tensor that a model is asked for: its logits, else its first floating tensor."""
    logits = getattr(outputs, "logits", None)
    if isinstance(logits, torch.Tensor):
        return logits
    for name, tensor in _named(outputs, "outputs"):
        if tensor.is_floating_point() and tensor.dim() > 0 and not name.endswith(".loss"):
            return tensor
    raise AssertionError("the outputs hold no floating tensor")


def _named(value: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _named(part, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for position, part in enumerate(value):
            yield from _named(part, f"{name}[{position}]")
