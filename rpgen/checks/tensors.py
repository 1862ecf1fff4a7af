"""The tensors in what a model takes or returns, each with the name that a message can use."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

Place = tuple[int, ...]


def named_tensors(value: Any, name: str = "outputs") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of a ModelOutput, mapping, sequence or tensor, however deeply nested.

    A cache of keys and values is no result, and is left out.
    """
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key != "past_key_values":
                yield from named_tensors(part, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for position, part in enumerate(value):
            yield from named_tensors(part, f"{name}[{position}]")


def place_of(flat: torch.Tensor, tensor: torch.Tensor) -> Place:
    """Where in `tensor` the flat index points."""
    return tuple(int(i) for i in torch.unravel_index(flat.cpu(), tensor.shape))


def copied(value: Any) -> Any:
    """A copy that shares no memory, of the same nesting; what is no tensor stays itself."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, Mapping):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(part) for part in value]
    return value
