"""The plugin that the package registers: bare pytest gets the pool's clean-up between files.

It does nothing, and imports nothing, until a test file has imported the pool. Under
`rpgen run` the worker does the same by itself and switches this plugin off.
"""

import os
from collections.abc import Generator
from typing import Any

import pytest

from rpgen.run.owner import FileOwner

_DEFAULT_AGE = 0.5


class _Current:
    owner: FileOwner | None = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Generator[None, Any, Any]:
    """The file that `item` belongs to owns what is taken from the pool, until its last test."""
    file = str(item.path)
    if _Current.owner is None or _Current.owner.name != file:
        _Current.owner = FileOwner(file)
    _Current.owner.enter()
    try:
        return (yield)
    finally:
        if nextitem is None or str(nextitem.path) != file:
            _Current.owner.leave(_cleanup_age())
            _Current.owner = None


def _cleanup_age() -> float:
    """Minutes; `RPGEN_CLEANUP_AGE` may change it."""
    try:
        return float(os.environ["RPGEN_CLEANUP_AGE"])
    except (KeyError, ValueError):
        return _DEFAULT_AGE
