"""Ctrl-C, counted instead of raised: once means finish cleanly, twice means now."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_NOW = 2


class Interrupts:
    """While entered, SIGINT adds one; SIGTERM and SIGHUP mean now at once.

    Leave it only when the reports are written: a third Ctrl-C must not cost them. After an
    interruption the process is about to end, so that SIGINT is ignored from then on.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._count)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            over = self.count > 0 and number == signal.SIGINT
            signal.signal(number, signal.SIG_IGN if over else handler)
        self._before.clear()

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.count += 1 if number == signal.SIGINT else _NOW

    @property
    def now(self) -> bool:
        return self.count >= _NOW
