"""From a request to what identifies it, cheaply enough to be done on every hit.

A model source (a checkpoint, say) is recognised by what its bound method belongs to; its
options are part of the identity. Any other constructor is opaque: it has none.
"""

import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

Options = tuple[tuple[str, str], ...]


@runtime_checkable
class ModelSource(Protocol):
    """Whoever can load a model onto a device and tell of it beforehand."""

    def pool_options(self) -> Mapping[str, Any]: ...

    def estimate(self) -> Any: ...

    def describe(self) -> Mapping[str, Any]: ...


def source_of(constructor: Callable[..., Any] | None) -> ModelSource | None:
    """The source that a constructor is a method of; None for an opaque one."""
    owner = getattr(constructor, "__self__", None)
    if owner is None or isinstance(owner, type):
        return None
    return owner if isinstance(owner, ModelSource) else None


class OptionsMemory:
    """The options of a constructor, worked out once for as long as its source lives."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[weakref.ref[Any], Options]] = {}

    def of(self, constructor: Any) -> Options:
        try:
            owner = constructor.__self__
            place = (id(owner), constructor.__name__)
        except AttributeError:
            return ()
        known = self._known.get(place)
        if known is not None and known[0]() is owner:
            return known[1]
        source = source_of(constructor)
        if source is None:
            return ()
        options = _frozen(source.pool_options(), constructor.__name__)
        self._remember(place, owner, options)
        return options

    def _remember(self, place: tuple[int, str], owner: Any, options: Options) -> None:
        try:
            known = weakref.ref(owner, lambda _: self._known.pop(place, None))
        except TypeError:  # a class with slots and without __weakref__ is asked every time
            return
        self._known[place] = (known, options)


def _frozen(options: Mapping[str, Any], method: str) -> Options:
    """`load_model` is what everybody calls; another method makes another thing."""
    named = {name: str(value) for name, value in options.items() if value is not None}
    if method != "load_model":
        named["by"] = method
    return tuple(sorted(named.items()))
