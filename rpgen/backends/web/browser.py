"""One headless browser for all models of this process, in a thread of its own. The pool holds it
as a resource while models need it, and ends it.

caller:  do(work) ──► queue ──► thread: is it alive? else start it ──► work(live) ──► result
                                                            (a loop of asyncio is only in there)

Playwright's synchronous interface belongs to the thread that it was started in, and a test may
have a loop of asyncio in its own. A browser that died is noticed before the next piece of work,
and a fresh one takes its place; what was open in the old one is gone, as is the number of its page.
"""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from rpgen.backends.base import BackendError, LostError
from rpgen.backends.web import kept
from rpgen.backends.web.program import Missing, Program, find_program
from rpgen.backends.web.running import Live, Running, descendants, memory_of, said
from rpgen.backends.web.server import PageServer

logger = logging.getLogger("rpgen.backends.web")

T = TypeVar("T")
Work = Callable[[Live], T]

PATIENCE = 300.0
"""Seconds that a page may take for one preparation or one run; then its browser is ended."""

_LOOK_SECONDS, _DRIVER_SECONDS = 1.0, 10.0
"""How often who waits looks at what is worked on; how long a driver may take to tell of the end of
its browser."""

_PAGE = Path(__file__).parent


@dataclass(eq=False)
class _Job:
    """`starts` says that a browser is started for it; another is dropped where none runs. `began`
    is when it had its turn, `overdue` says that the browser was ended for it."""

    work: Work[Any]
    starts: bool
    patience: float = PATIENCE
    done: Future[Any] = field(default_factory=Future)
    began: float | None = None
    overdue: bool = False


class SharedBrowser:
    """Starts with the first work. Its methods may be called from any thread."""

    name = "browser"

    def __init__(self, program: Program) -> None:
        self.process = os.getpid()
        self._program = program
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.RLock()  # the garbage collector may come in between with `later`
        self._thread: threading.Thread | None = None
        self._ending: threading.Thread | None = None
        self._current: _Job | None = None
        self._processes: list[Any] = []
        self.server: PageServer | None = None

    @property
    def processes(self) -> tuple[int, ...]:
        """The driver first, then the browser and what it started; none where none was started."""
        return tuple(each.pid for each in self._processes)

    @property
    def held_bytes(self) -> int:
        """What its processes take, shared pages in parts where the system tells them."""
        return sum(memory_of(each) for each in self._family())

    def _family(self) -> list[Any]:
        """The driver and all below it: pages have processes of their own, which come and go."""
        driver = self._processes[:1]
        return [*driver, *(each for one in driver for each in descendants(one))]

    def do(self, work: Work[T], patience: float = PATIENCE) -> T:
        """Let `work` use the browser, and return its result. Raises LostError where the browser
        can't be started, dies, or works longer than `patience`, once it is the turn of `work`.
        A caller that is interrupted takes its work with it."""
        from playwright.sync_api import Error

        job = _Job(work, starts=True, patience=patience)
        future: Future[T] = job.done
        self._queue(job)
        try:
            return self._waited(future, min(patience, _LOOK_SECONDS))
        except Error as error:
            if job.overdue:
                words = f"the browser gave no answer in {patience:g} s and was ended"
                raise LostError(words) from None
            raise LostError(f"the browser: {said(error)}") from error
        finally:
            if not future.cancel() and not future.done():
                self.kill()  # nobody waits for what it is doing

    def _waited(self, future: "Future[T]", look_seconds: float) -> T:
        while True:
            try:
                return future.result(look_seconds)
            except TimeoutError:
                if future.done():  # it is the work's own
                    raise
            self._end_overdue()

    def _end_overdue(self) -> None:
        """End the browser under work that takes too long, whoever's that is; where its driver
        doesn't say so, the driver, too."""
        job = self._current
        if job is None or job.began is None:
            return
        over = time.monotonic() - job.began - job.patience
        if over >= 0:
            job.overdue = True
            self.kill(driver_too=over > _DRIVER_SECONDS)

    def later(self, work: Work[object]) -> None:
        """Let `work` use the browser after what it has to do already; nobody waits for it. Where
        no browser runs nothing is done."""
        with self._lock:
            if self._thread is not None:
                self._jobs.put(_Job(work, starts=False))

    def _queue(self, job: _Job) -> None:
        with self._lock:
            if self._thread is None:
                self._jobs = SimpleQueue()
                before, self._ending = self._ending, None
                self._thread = threading.Thread(
                    target=self._serve, args=(self._jobs, before), name="rpgen browser", daemon=True
                )
                self._thread.start()
            self._jobs.put(job)

    def kill(self, driver_too: bool = False) -> None:
        """End the browser at once. Work in progress fails; the next starts a fresh one."""
        import psutil

        for process in self._processes[0 if driver_too else 1 :]:  # a driver tells the thread
            with contextlib.suppress(psutil.Error):
                process.kill()

    def close(self) -> None:
        """End the browser, its driver, the server and the thread, after what is to be done."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._ending = thread
                self._jobs.put(None)
        if thread is not None:
            thread.join(10.0)
            if thread.is_alive():  # whatever it waits for ends with these
                self.kill(driver_too=True)

    def _serve(self, jobs: "SimpleQueue[_Job | None]", before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        running = Running()
        try:
            while (job := jobs.get()) is not None:
                if job.done.set_running_or_notify_cancel():
                    self._work(running, job)
        finally:
            self._end(running)
            if self.server is not None:
                self.server.close()
                self.server = None

    def _work(self, running: Running, job: _Job) -> None:
        job.began = time.monotonic()
        self._current = job
        try:
            if job.starts and not running.is_alive():
                self._end(running)
                self._start(running)
            job.done.set_result(running.live and job.work(running.live))
        except Exception as error:  # noqa: BLE001  it is raised where the work came from
            job.done.set_exception(error)
            if not job.starts:
                logger.info("The browser: %s", said(error))
        finally:
            self._current = None

    def _start(self, running: Running) -> None:
        from playwright.sync_api import sync_playwright

        if self.server is None:
            self.server = PageServer(_pages(self._program))
        running.start(sync_playwright(), self._program)
        self._processes = running.processes
        kept.keep(set(self.processes))
        running.live = Live(
            running.browser, self.server, running.browser.version, running.unsandboxed
        )

    def _end(self, running: Running) -> None:
        running.stop()
        kept.forget(set(self.processes))
        self._processes = []


def _pages(program: Program) -> dict[str, Path]:
    runtime = {path.name: path for path in program.runtime.iterdir()}
    return {**runtime, "page.html": _PAGE / "page.html", "page.mjs": _PAGE / "page.mjs"}


_shared: SharedBrowser | None = None
_shared_lock = threading.Lock()


def shared_browser() -> SharedBrowser:
    """The browser of this process; it ends with it. Raises BackendError where files are missing."""
    global _shared
    with _shared_lock:
        if _shared is None or _shared.process != os.getpid():
            program = find_program()
            if isinstance(program, Missing):
                raise BackendError(f"{program.reason}: {program.remedy}")
            _shared = SharedBrowser(program)
            atexit.register(close_shared_browser)
        return _shared


def running_browser() -> SharedBrowser | None:
    """The browser of this process, if it has started one."""
    with _shared_lock:
        found = _shared
    return found if found is not None and found.process == os.getpid() else None


def close_shared_browser() -> None:
    """Harmless where there is none, and in a process that was forked from its owner."""
    global _shared
    with _shared_lock:
        found, _shared = _shared, None
    if found is not None and found.process == os.getpid():
        found.close()
