"""What pytest would do for every test of a file and need not.

These touch names of pytest that are not promised. Each is looked for before it is used;
without them a run still says the same, only later.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

_OWN = __name__.partition(".")[0]


def leave_own_asserts(config: pytest.Config) -> None:
    """Let rpgen's modules be imported as they are.

    pytest rewrites the asserts of every package with a plugin for it; rpgen's say themselves
    what is wrong, and its hundred modules would be compiled once more.
    """
    hook = getattr(config.pluginmanager, "rewrite_hook", None)
    marked = getattr(hook, "_must_rewrite", None)
    if marked:
        marked -= {name for name in marked if name.partition(".")[0] == _OWN}


class RenderedOnce:
    """The traceback of a set-up that failed for a whole class, and is raised for each test.

    To render one, pytest parses every source file in it.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The error's frames hold what the set-up made."""
        self._error: BaseException | None = None
        self._rendered: Any = None

    @contextlib.contextmanager
    def around(self, item: Any, call: pytest.CallInfo[None]) -> Iterator[list[Any]]:
        """While pytest makes its report; that is then put into the list."""
        reports: list[Any] = []
        if call.when != "setup":
            yield reports
            return
        error = call.excinfo.value if call.excinfo else None
        known = error is not None and error is self._error and hasattr(item, "_repr_failure_py")
        if known:
            item._repr_failure_py = lambda *_, **__: self._rendered
        try:
            yield reports
        finally:
            if known:
                del item._repr_failure_py
        self._error, self._rendered = error, reports[-1].longrepr if error else None
