"""What a model remembers of its runs, forgotten: it may be of another dtype or mode."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch


def forget_caches(module: torch.nn.Module) -> None:
    """What a module remembers per argument: by `lru_cache`, or in an object with a `cache`.

    Its methods may do so too, also within a wrapper: what is remembered then is the class's,
    for all its modules.
    """
    for method in _methods(type(module)):
        for function in _within(method):
            if hasattr(function, "cache_clear"):
                function.cache_clear()
    for value in list(vars(module).values()):
        if hasattr(value, "cache_clear"):
            value.cache_clear()
        elif isinstance(getattr(value, "cache", None), dict):
            value.cache.clear()


def _methods(kind: type) -> Iterator[Any]:
    for each in kind.__mro__[: kind.__mro__.index(torch.nn.Module)]:
        yield from vars(each).values()


def _within(method: Any) -> Iterator[Any]:
    """The function itself, and what its wrapper encloses."""
    function = getattr(method, "__func__", method)  # of a static method
    yield function
    for cell in getattr(function, "__closure__", None) or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents


def forget_inference(model: torch.nn.Module) -> None:
    """What a model remembers of runs in inference mode no gradient may flow through: tensors
    become ordinary ones, the rest is forgotten."""
    for module in model.modules():
        forget_caches(module)
        for held in (vars(module), module._buffers):
            for name, value in list(held.items()):
                if isinstance(value, torch.Tensor) and value.is_inference():
                    held[name] = value.clone()


def forget_derived(model: torch.nn.Module, made: torch.nn.Module | None) -> None:
    """What a model derives from its weights when it runs, it derives anew: what it drops when
    it is trained, what it remembers per argument, and what is None in a model just `made`."""
    if not model.training:
        modes = [(module, module.training) for module in model.modules()]
        model.train().eval()
        for module, training in modes:  # a part that was left in training stays to be found
            module.training = training
    fresh = dict(made.named_modules()) if made is not None else {}
    for path, module in model.named_modules():
        forget_caches(module)
        for name, value in list(vars(module).items()):
            if not isinstance(value, torch.Tensor) or path not in fresh:
                continue
            if getattr(fresh[path], name, value) is None:
                setattr(module, name, None)
