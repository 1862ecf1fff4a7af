"""The gate of transformers' loads: they change global state, so only one runs at a time.

A load that has to wait for another thread's load lets the gate go meanwhile, because that one
may be waiting at the gate. Constructors that have nothing to do with transformers pass by.
"""

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from rpgen.pool.keys import source_of

_LOADERS = {"from_pretrained", "from_config", "_from_config", "transformers", "pipeline"}
_MOST_FUNCTIONS = 200


class Gate:
    """A lock that its thread may take again, and may put aside for a while."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = threading.local()

    @contextlib.contextmanager
    def passed(self, needed: bool) -> Iterator[None]:
        if not needed:
            yield
            return
        with self._lock:
            self._depth.value = self._held() + 1
            try:
                yield
            finally:
                self._depth.value = self._held() - 1

    @contextlib.contextmanager
    def put_aside(self) -> Iterator[None]:
        """Let the gate go, however often this thread took it, and take it back after."""
        depth = self._held()
        for _ in range(depth):
            self._lock.release()
        try:
            yield
        finally:
            for _ in range(depth):
                self._lock.acquire()

    @property
    def held(self) -> bool:
        """Whether this thread is inside."""
        return self._held() > 0

    def _held(self) -> int:
        return getattr(self._depth, "value", 0)


def needs_gate(constructor: Callable[..., Any]) -> bool:
    """Whether a constructor may load through transformers, as far as its code shows.

    A model source always may. Code that can't be read (a builtin, an object) is believed to,
    once transformers is imported.
    """
    if source_of(constructor) is not None:
        return True
    while isinstance(constructor, functools.partial):
        constructor = constructor.func
    function = getattr(constructor, "__func__", constructor)
    if isinstance(function, FunctionType):
        return _reaches_transformers(function, set())
    if isinstance(function, type):
        return function.__module__.partition(".")[0] == "transformers"
    return "transformers" in sys.modules


def _reaches_transformers(function: FunctionType, seen: set[int]) -> bool:
    names = _names_in(function.__code__)
    if names & _LOADERS:
        return True
    seen.add(id(function))
    if len(seen) > _MOST_FUNCTIONS:
        return "transformers" in sys.modules
    cells = (_content(cell) for cell in function.__closure__ or ())
    values = [*cells, *(function.__globals__.get(name) for name in sorted(names))]
    return any(_value_reaches(value, seen) for value in values)


def _value_reaches(value: Any, seen: set[int]) -> bool:
    if isinstance(value, FunctionType):
        return id(value) not in seen and _reaches_transformers(value, seen)
    if isinstance(value, functools.partial):
        return _value_reaches(value.func, seen)
    if isinstance(value, ModuleType):
        return value.__name__ == "transformers"
    home = getattr(value, "__module__", None) if isinstance(value, type) else None
    return isinstance(home, str) and home.partition(".")[0] == "transformers"


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None
