"""What a test file may change around it, and must not: put back after the file, and named."""

import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rpgen.run.children import end_children

_SET_BY_LIBRARIES = ("TORCHINDUCTOR_", "_TORCHINDUCTOR_", "TRITON_", "KMP_", "PYTEST_CURRENT_TEST")
"""Variables that torch and pytest set for themselves while they work."""

_STAYING_THREADS = ("rpgen ", "tqdm_monitor")
"""Threads of rpgen itself, such as those of the browser that stays for the next file, and the
one that tqdm keeps for the whole process once anybody has shown progress."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


@dataclass(frozen=True)
class Surroundings:
    """The process as it was before a file."""

    folder: str
    environment: dict[str, str]
    search_path: list[str]
    signals: dict[int, Any]
    threads: frozenset[threading.Thread]  # their numbers are used again

    @classmethod
    def now(cls) -> "Surroundings":
        return cls(
            os.getcwd(),  # noqa: PTH109 - a string to compare and to go back to
            dict(os.environ),
            list(sys.path),
            {number: signal.getsignal(number) for number in _SIGNALS},
            frozenset(threading.enumerate()),
        )

    def restore(self) -> tuple[str, ...]:
        """Put everything back that can be; says in words what the file had left behind."""
        sys.path[:] = self.search_path
        sys.stdin = sys.__stdin__
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        self._restore_signals()
        return (
            *end_children(),
            *(f"thread {name}" for name in self._threads_left()),
            *self._restore_folder(),
            *self._restore_environment(),
        )

    def _restore_signals(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self.signals.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    def _threads_left(self) -> list[str]:
        return [
            thread.name
            for thread in threading.enumerate()
            if thread not in self.threads
            and thread.is_alive()
            and not thread.name.startswith(_STAYING_THREADS)
        ]

    def _restore_folder(self) -> list[str]:
        try:
            here = os.getcwd()  # noqa: PTH109
        except OSError:
            here = "a folder that is gone"
        if here == self.folder:
            return []
        try:
            os.chdir(self.folder)
        except OSError as error:
            return [f"working folder {here}, and going back failed: {error.strerror}"]
        return [f"working folder {here}"]

    def _restore_environment(self) -> list[str]:
        now = dict(os.environ)
        changed = sorted(
            name
            for name in now.keys() | self.environment.keys()
            if now.get(name) != self.environment.get(name)
            and not name.startswith(_SET_BY_LIBRARIES)
        )
        for name in changed:
            if name in self.environment:
                os.environ[name] = self.environment[name]
            else:
                del os.environ[name]
        return [f"environment variable {name}" for name in changed]


class ClassAttributes:
    """The attributes of test classes as they were before their tests ran.

    A class that keeps its model (`cls.model = ...` in `setUpClass`) would keep it in memory
    for as long as anybody holds the class.
    """

    def __init__(self, classes: Iterable[type]) -> None:
        self._before = {each: dict(vars(each)) for each in classes}

    def restore(self) -> None:
        for each, before in self._before.items():
            for name in set(vars(each)) - set(before):
                delattr(each, name)
            for name, value in before.items():
                if vars(each).get(name) is not value and not name.startswith("__"):
                    setattr(each, name, value)


def forget_modules(path: str, before: Mapping[str, ModuleType]) -> tuple[str, ...]:
    """Drop the modules that were made from the file at `path`, and put back those that it took
    away or replaced; says which those were."""
    for name in set(sys.modules).difference(before):
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and getattr(module, "__file__", None) == path:
            del sys.modules[name]
    changed = [name for name, module in before.items() if sys.modules.get(name) is not module]
    for name in changed:
        sys.modules[name] = before[name]
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            delattr(sys, name)
    return _named(sorted(changed))


def _named(modules: list[str], shown: int = 3) -> tuple[str, ...]:
    if not modules:
        return ()
    more = f" and {len(modules) - shown} more" if len(modules) > shown else ""
    return (f"modules taken away or replaced: {', '.join(modules[:shown])}{more}",)
