"""From a request to what identifies it, cheaply enough to be done on every hit.

A model source (a checkpoint, say) is recognised by what its bound method belongs to; its
options are part of the identity. Any other constructor is opaque: it has none.
"""

import copy
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

Options = tuple[tuple[str, str], ...]
_Place = tuple[int, str, Any]


def environment_reader(name: str) -> Callable[[], Any]:
    """Reads one environment variable in a tenth of the time of `os.environ.get`.

    That one encodes the name and raises inside where the variable is missing: on every hit
    that would cost more than the hit. The answer is the raw value; `decoded` makes it text.
    """
    raw, encode = getattr(os.environ, "_data", None), getattr(os.environ, "encodekey", None)
    if raw is None or encode is None:
        return partial(os.environ.get, name)
    return partial(raw.get, encode(name))


def decoded(value: Any) -> str | None:
    return None if value is None else os.fsdecode(value)


_override = environment_reader("RPGEN_WEIGHTS")
"""A source's options follow this variable, so what is remembered of them does too."""


class Wishes:
    """A number or a text for each distinct dictionary of preferences, the same for equal ones.

    Comparing a small dictionary is several times cheaper than any text made of it, so the
    first few that come by are kept; the rest are told apart by their text.
    """

    _MOST = 16

    def __init__(self) -> None:
        self._known: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def token(self, preferences: Mapping[str, Any] | None) -> int | str | None:
        if not preferences:
            return None
        try:
            for number, known in enumerate(self._known):
                if known == preferences:
                    return number
            return self._remembered(copy.deepcopy(dict(preferences)))
        except (TypeError, ValueError):  # values that can't be copied, or compared to a bool
            return repr(preferences)

    def _remembered(self, preferences: dict[str, Any]) -> int | str:
        with self._lock:
            if preferences in self._known:
                return self._known.index(preferences)
            if len(self._known) == self._MOST:
                return repr(preferences)
            self._known.append(preferences)
            return len(self._known) - 1


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
        self._known: dict[_Place, tuple[weakref.ref[Any], Options]] = {}

    def of(self, constructor: Any) -> Options:
        try:
            owner = constructor.__self__
            place = (id(owner), constructor.__name__, _override())
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

    def _remember(self, place: _Place, owner: Any, options: Options) -> None:
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
