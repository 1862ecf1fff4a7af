"""Work that must not be waited for longer than it deserves.

Timeouts of the libraries cover a single read; look-ups of names, retries and half-open
connections are not in them. So the work gets a thread of its own, which is left behind (it is
a daemon) when its time is up.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class _Work(Generic[Result]):
    def __init__(self, work: Callable[[], Result], name: str) -> None:
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._work = work
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 (raised again where the result is awaited)
            self._error = error

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._results[0]


def within(seconds: float, work: Callable[[], Result], name: str = "rpgen-deadline") -> Result:
    """The result of the work, or its error; TimeoutError where it takes longer."""
    running = _Work(work, name)
    running.thread.join(seconds)
    if running.thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    return running.result()


def while_growing(
    work: Callable[[], Result],
    size: Callable[[], int],
    stall_seconds: float,
    name: str = "rpgen-download",
) -> Result:
    """As `within`, but time only counts while `size` stays the same."""
    running = _Work(work, name)
    last = size()
    while True:
        running.thread.join(stall_seconds)
        if not running.thread.is_alive():
            return running.result()
        now = size()
        if now == last:
            raise TimeoutError(f"nothing arrived for {stall_seconds:g} s")
        last = now
