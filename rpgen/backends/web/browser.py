"""One headless browser for all models of this process, in a thread of its own.

caller:  do(work) ──► queue ──► thread: is it alive? else start it ──► work(live) ──► result
                                                            (a loop of asyncio is only in there)

Playwright's synchronous interface belongs to the thread that it was started in, and a test may
have a loop of asyncio in its own. A browser that died is noticed before the next piece of work,
and a fresh one takes its place; what was open in the old one is gone, as is the number of its page.
"""

import atexit
import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from rpgen.backends.base import BackendError
from rpgen.backends.web import kept
from rpgen.backends.web.program import Missing, Program, find_program
from rpgen.backends.web.server import PageServer

logger = logging.getLogger("rpgen.backends.web")

T = TypeVar("T")
Work = Callable[["Live"], T]

PATIENCE = 300.0
"""Seconds that a page may take for one preparation or one run; then its browser is ended."""

_PAGE = Path(__file__).parent
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Page:
    """An open page of Playwright. No other page of this process has its number."""

    content: Any
    number: int


@dataclass
class Live:
    """A running browser, as work in its thread sees it. `pages` are its open pages by name;
    a `spoiled` one is not worked with again."""

    browser: Any
    server: PageServer
    version: str
    pages: dict[str, Page] = field(default_factory=dict)
    spoiled: bool = False

    def page(self, name: str) -> Page:
        """The page of this name, opened where there is none."""
        found = self.pages.get(name)
        if found is None:
            found = self.pages[name] = Page(self.browser.new_page(), next(_numbers))
            found.content.goto(self.server.address("page.html"))
            script = self.server.address("page.mjs")
            found.content.evaluate("script => import(script).then(() => 0)", script)
        return found

    def has(self, name: str, number: int) -> bool:
        """Whether the page of this name is still that of this number."""
        found = self.pages.get(name)
        return found is not None and found.number == number

    def close_page(self, name: str) -> None:
        """With it goes the memory that its sessions took."""
        page = self.pages.pop(name, None)
        if page is not None:
            page.content.close()


@dataclass(frozen=True)
class _Job:
    """`starts` says that a browser is started for it; another is dropped where none runs."""

    work: Work[Any]
    starts: bool
    done: Future[Any] = field(default_factory=Future)


class SharedBrowser:
    """Starts with the first work. Its methods may be called from any thread."""

    def __init__(self, program: Program) -> None:
        self.process = os.getpid()
        self._program = program
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.RLock()  # the garbage collector may come in between with `later`
        self._thread: threading.Thread | None = None
        self._processes: list[Any] = []
        self.server: PageServer | None = None

    @property
    def processes(self) -> tuple[int, ...]:
        """The driver first, then the browser and what it started; none where none was started."""
        return tuple(each.pid for each in self._processes)

    def do(self, work: Work[T], patience: float = PATIENCE) -> T:
        """Let `work` use the browser, and return its result. Raises BackendError where the
        browser can't be started, dies, or takes longer than `patience`."""
        from playwright.sync_api import Error

        job = _Job(work, starts=True)
        future: Future[T] = job.done
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="rpgen browser", daemon=True
                )
                self._thread.start()
            self._jobs.put(job)
        try:
            return future.result(patience)
        except Error as error:
            raise BackendError(f"the browser: {said(error)}") from error
        except TimeoutError:
            if future.done():
                raise
            self.kill()
            raise BackendError(
                f"the browser gave no answer in {patience:g} s and was ended"
            ) from None

    def later(self, work: Work[object]) -> None:
        """Let `work` use the browser after what it has to do already; nobody waits for it. Where
        no browser runs nothing is done."""
        with self._lock:
            if self._thread is not None:
                self._jobs.put(_Job(work, starts=False))

    def kill(self) -> None:
        """End the browser at once. Work in progress fails; the next starts a fresh one."""
        import psutil

        for process in self._processes[1:]:  # the driver tells the thread that it is gone
            with contextlib.suppress(psutil.Error):
                process.kill()

    def close(self) -> None:
        """End the browser, its driver, the server and the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join(10.0)
        self.kill()

    def _serve(self) -> None:
        running = _Running()
        try:
            while (job := self._jobs.get()) is not None:
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
            self._end(running)
            if self.server is not None:
                self.server.close()
                self.server = None

    def _start(self, running: "_Running") -> None:
        from playwright.sync_api import sync_playwright

        if self.server is None:
            self.server = PageServer(_pages(self._program))
        running.start(sync_playwright(), self._program)
        self._processes = running.processes
        kept.keep(set(self.processes))
        running.live = Live(running.browser, self.server, running.browser.version)

    def _end(self, running: "_Running") -> None:
        running.stop()
        kept.forget(set(self.processes))
        self._processes = []


class _Running:
    """Playwright's driver and the browser, used in their thread alone."""

    def __init__(self) -> None:
        self.live: Live | None = None
        self.browser: Any = None
        self.processes: list[Any] = []
        self._playwright: Any = None

    def start(self, manager: Any, program: Program) -> None:
        import psutil

        before = set(psutil.Process().children())
        threads = set(threading.enumerate())
        self._playwright = manager.start()
        try:
            self.browser = self._playwright.chromium.launch(
                executable_path=program.path,
                args=list(program.flags),
                env={**os.environ, **program.env},
                handle_sigint=False,  # a run that is interrupted still ends its tests
            )
        finally:
            driver = [
                each
                for each in psutil.Process().children()
                if each not in before and "run-driver" in each.cmdline()
            ]
            self.processes = [*driver, *(p for d in driver for p in d.children(recursive=True))]
            for thread in set(threading.enumerate()) - threads:
                if "waitpid-" in thread.name:  # asyncio waits for the driver in it
                    thread.name = "rpgen browser's end"

    def is_alive(self) -> bool:
        import psutil

        if self.live is None or self.live.spoiled or not self.browser.is_connected():
            return False
        try:  # events of the browser are only heard while it is worked with: so ask the system
            return all(
                each.is_running() and each.status() != psutil.STATUS_ZOMBIE
                for each in self.processes[:2]
            )
        except psutil.Error:
            return False

    def stop(self) -> None:
        import psutil
        from playwright.sync_api import Error

        alive = self.is_alive()
        self.live = None
        if self._playwright is None:
            return
        try:
            if alive:
                self.browser.close()
            self._playwright.stop()
        except Error:
            pass  # it is gone already, and below it is made sure of
        self._playwright = None
        for process in reversed(self.processes):
            with contextlib.suppress(psutil.Error):
                process.kill()


def _pages(program: Program) -> dict[str, Path]:
    runtime = {path.name: path for path in program.runtime.iterdir()}
    return {**runtime, "page.html": _PAGE / "page.html", "page.mjs": _PAGE / "page.mjs"}


def said(error: BaseException) -> str:
    """What an error of Playwright says, without its log; of a missing library, its name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    libraries = [line for line in lines if "error while loading shared libraries" in line]
    if libraries:
        return libraries[0].partition("error while loading ")[2]
    return lines[0] if lines else type(error).__name__


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


def close_shared_browser() -> None:
    """Harmless where there is none, and in a process that was forked from its owner."""
    global _shared
    with _shared_lock:
        found, _shared = _shared, None
    if found is not None and found.process == os.getpid():
        found.close()
