"""What a model takes and returns, taken apart into named tensors and put together again.

Names are paths: `logits`, `hidden_states[2]`, `past_key_values.layers[0].keys`. What is no
tensor (None, a number, a switch) stays in the structure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Tensors = dict[str, Any]


class UnknownPartError(Exception):
    """Something that can't be taken apart: a cache of an unusual kind, a foreign object."""


@dataclass(frozen=True)
class Leaf:
    """A tensor, by its name."""

    name: str


@dataclass(frozen=True)
class Constant:
    value: Any


@dataclass(frozen=True)
class Node:
    """A container: how it is made of its parts, by key."""

    make: Callable[[Mapping[Any, Any]], Any]
    parts: tuple[tuple[Any, "Structure"], ...]
    kind: str


Structure = Leaf | Constant | Node


def take_apart(value: Any, name: str) -> tuple[Tensors, Structure]:
    """The tensors in a value by path, and what is needed to put it together again.

    Raises UnknownPartError.
    """
    tensors: Tensors = {}
    return tensors, _apart(value, name, tensors)


def put_together(structure: Structure, tensors: Mapping[str, Any]) -> Any:
    if isinstance(structure, Leaf):
        return tensors[structure.name]
    if isinstance(structure, Constant):
        return structure.value
    return structure.make({key: put_together(part, tensors) for key, part in structure.parts})


def signature(structure: Structure) -> str:
    """A text that is the same for structures that differ in their tensors' values only."""
    if isinstance(structure, Leaf):
        return structure.name
    if isinstance(structure, Constant):
        return repr(structure.value)
    inside = ",".join(f"{key}={signature(part)}" for key, part in structure.parts)
    return f"{structure.kind}({inside})"


def _apart(value: Any, name: str, tensors: Tensors) -> Structure:
    import torch

    if isinstance(value, torch.Tensor):
        tensors[name] = value
        return Leaf(name)
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype)):
        return Constant(value)
    if isinstance(value, Mapping):
        parts = tuple((key, _apart(v, _field(name, key), tensors)) for key, v in value.items())
        return Node(_maker_of_mapping(type(value)), parts, type(value).__name__)
    if isinstance(value, (list, tuple)):
        parts = tuple((i, _apart(v, f"{name}[{i}]", tensors)) for i, v in enumerate(value))
        return Node(_maker_of_sequence(type(value)), parts, type(value).__name__)
    return _cache_apart(value, name, tensors)


def _field(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _maker_of_mapping(kind: type) -> Callable[[Mapping[Any, Any]], Any]:
    if hasattr(kind, "to_tuple"):  # a ModelOutput: fields that are None stay out of the mapping
        return lambda parts: kind(**parts)
    return lambda parts: dict(parts)


def _maker_of_sequence(kind: type) -> Callable[[Mapping[Any, Any]], Any]:
    if hasattr(kind, "_fields"):
        return lambda parts: kind(*parts.values())
    return lambda parts: kind(parts.values())


def _cache_apart(value: Any, name: str, tensors: Tensors) -> Structure:
    """transformers' caches of keys and values that grow with the text."""
    from transformers.cache_utils import DynamicCache, EncoderDecoderCache

    if isinstance(value, EncoderDecoderCache):
        both = {"self": value.self_attention_cache, "cross": value.cross_attention_cache}
        parts = tuple((key, _cache_apart(v, f"{name}.{key}", tensors)) for key, v in both.items())
        return Node(lambda made: EncoderDecoderCache(*made.values()), parts, "EncoderDecoderCache")
    if not isinstance(value, DynamicCache):
        raise UnknownPartError(f"{name} is a {type(value).__name__}")
    layers = tuple(
        (number, _layer_apart(layer, f"{name}.layers[{number}]", tensors))
        for number, layer in enumerate(value.layers)
    )
    return Node(_make_cache, layers, "DynamicCache")


def _layer_apart(layer: Any, name: str, tensors: Tensors) -> Structure:
    from transformers.cache_utils import DynamicLayer

    if type(layer) is not DynamicLayer:
        raise UnknownPartError(f"{name} is a {type(layer).__name__}")
    if not layer.is_initialized or layer.get_seq_length() == 0:
        return Constant(None)
    parts = []
    for part in ("keys", "values"):
        tensors[f"{name}.{part}"] = getattr(layer, part)
        parts.append((part, Leaf(f"{name}.{part}")))
    return Node(dict, tuple(parts), "DynamicLayer")


def _make_cache(layers: Mapping[Any, Any]) -> Any:
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache()
    fill_cache(cache, [layers[number] for number in sorted(layers)])
    return cache


def fill_cache(cache: Any, layers: list[Mapping[str, Any] | None]) -> None:
    """Give a cache these keys and values, whatever it held."""
    from transformers.cache_utils import DynamicLayer

    cache.layers.extend(DynamicLayer() for _ in range(len(layers) - len(cache.layers)))
    for layer, held in zip(cache.layers, layers, strict=False):
        if held is None:
            continue
        layer.lazy_initialization(held["keys"], held["values"])
        layer.keys, layer.values = held["keys"], held["values"]
