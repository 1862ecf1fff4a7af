"""The processes of the browser that this process keeps between test files.

A run ends what a test file leaves behind; these are no leftovers.
"""

import threading

_lock = threading.Lock()
_kept: set[int] = set()


def keep(pids: set[int]) -> None:
    with _lock:
        _kept.update(pids)


def forget(pids: set[int]) -> None:
    with _lock:
        _kept.difference_update(pids)


def kept_processes() -> frozenset[int]:
    with _lock:
        return frozenset(_kept)
