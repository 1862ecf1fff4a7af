"""A thread that keeps an eye on memory while somebody wants it to.

It looks at the process five times a second, and at the machine once in a while: then it warns
when memory gets short and lets idle entries go. Waking up is what costs most, and the whole has
to stay under a hundredth of a core; a peak between two looks is what the kernel's own record of
the highest resident set is for.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rpgen.hardware.process_memory import ProcessMemory, read_process_memory

logger = logging.getLogger("rpgen.pool")

SAMPLE_SECONDS = 0.2
LOOK_SECONDS = 2.0
CLEAN_SECONDS = 60.0
IDLE_MINUTES = 30.0
IDLE_MINUTES_UNDER_PRESSURE = 1.0


@dataclass(frozen=True)
class Peaks:
    """The highest MB since the last reset. None: not sampled yet, or the process can't be read.

    `own_mb` and `mapped_mb` are of this process (see `process_memory`), each its own highest;
    `devices` is what the drivers say is taken on the accelerators in use, by whomever.
    """

    own_mb: float | None
    mapped_mb: float | None
    devices: Mapping[str, float]
    samples: int


class Monitor:
    """Started and stopped by its user, any number of times; each method from any thread.

    `clean` lets go of what has been idle for so many minutes and says how many went,
    `taken_mb` gives what is taken on the accelerators in use, `pressed` whether the host is
    short of memory.
    """

    def __init__(
        self,
        clean: Callable[[float], int],
        pressed: Callable[[], bool],
        taken_mb: Callable[[], Mapping[str, float]],
        read: Callable[[], ProcessMemory | None] = read_process_memory,
    ) -> None:
        self._clean, self._pressed, self._taken_mb, self._read = clean, pressed, taken_mb, read
        self._lock = threading.Lock()
        self._stop: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._peaks = Peaks(None, None, {}, 0)
        self._under_pressure = False
        self._cleaned_at = time.monotonic()
        self.cpu_seconds = 0.0
        self.cleaned = 0

    @property
    def on(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self, sample_seconds: float = SAMPLE_SECONDS) -> None:
        """Begin; nothing where it is on already."""
        with self._lock:
            if self.on:
                return
            stop = self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(stop, sample_seconds), name="rpgen monitor", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End, and return when the thread has: not while it is cleaning."""
        with self._lock:
            thread, stop = self._thread, self._stop
            self._thread = self._stop = None
        if stop is not None:
            stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    @contextlib.contextmanager
    def running(self, sample_seconds: float = SAMPLE_SECONDS) -> Iterator["Monitor"]:
        self.start(sample_seconds)
        try:
            yield self
        finally:
            self.stop()

    def peaks(self) -> Peaks:
        """Since the last reset, this moment included."""
        self.sample()
        return self._peaks

    def reset_peaks(self) -> None:
        with self._lock:
            self._peaks = Peaks(None, None, {}, 0)
        self.sample()

    def sample(self) -> None:
        """Look at this process once."""
        found = self._read()
        if found is None:
            return
        with self._lock:
            before = self._peaks
            self._peaks = Peaks(
                max(before.own_mb or 0.0, found.own_mb),
                max(before.mapped_mb or 0.0, found.mapped_mb),
                before.devices,
                before.samples + 1,
            )

    def look(self) -> None:
        """Look at the machine once: devices, pressure, what has been idle for long."""
        taken = dict(self._taken_mb())
        with self._lock:
            before = self._peaks
            devices = {**before.devices, **taken}
            highest = {d: max(mb, before.devices.get(d, 0.0)) for d, mb in devices.items()}
            self._peaks = Peaks(before.own_mb, before.mapped_mb, highest, before.samples)
        pressed, was = self._pressed(), self._under_pressure
        self._under_pressure = pressed
        if pressed and not was:
            logger.warning("Memory is short: letting go of what is idle")
        elif was and not pressed:
            logger.info("Memory is no longer short")
        now = time.monotonic()
        if pressed or now - self._cleaned_at >= CLEAN_SECONDS:
            self._cleaned_at = now
            self.cleaned += self._clean(IDLE_MINUTES_UNDER_PRESSURE if pressed else IDLE_MINUTES)

    def _run(self, stop: threading.Event, sample_seconds: float) -> None:
        next_look = time.monotonic() + LOOK_SECONDS
        while not stop.wait(sample_seconds):
            self.sample()
            if time.monotonic() >= next_look:
                self._look_or_say_why_not()
                next_look = time.monotonic() + LOOK_SECONDS
            self.cpu_seconds = time.thread_time()

    def _look_or_say_why_not(self) -> None:
        """One look that fails must not end the others; what a thread raises nobody hears."""
        try:
            self.look()
        except Exception:
            logger.exception("The monitor could not look at the machine")
