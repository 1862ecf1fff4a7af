"""A started browser as its thread sees it: its pages, its processes, its folders, its end."""

import contextlib
import itertools
import logging
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from typing import Any

from rpgen.backends.web.program import Program
from rpgen.backends.web.server import PageServer

logger = logging.getLogger("rpgen.backends.web")

_PROFILE = "--user-data-dir="
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Page:
    """An open page of Playwright. No other page of this process has its number."""

    content: Any
    number: int


@dataclass
class Live:
    """A running browser, as work in its thread sees it. `pages` are its open pages by name;
    a `spoiled` one is not worked with again; `unsandboxed` says why it has no sandbox."""

    browser: Any
    server: PageServer
    version: str
    unsandboxed: str | None = None
    pages: dict[str, Page] = field(default_factory=dict)
    spoiled: bool = False

    def page(self, name: str) -> Page:
        """The page of this name, opened where there is none."""
        found = self.pages.get(name)
        if found is None:
            content = self.browser.new_page()
            try:
                content.goto(self.server.address("page.html"))
                script = self.server.address("page.mjs")
                content.evaluate("script => import(script).then(() => 0)", script)
            except BaseException:
                _close(content)
                raise
            found = self.pages[name] = Page(content, next(_numbers))
        return found

    def has(self, name: str, number: int) -> bool:
        """Whether the page of this name is still that of this number."""
        found = self.pages.get(name)
        return found is not None and found.number == number

    def close_page(self, name: str) -> None:
        """With it goes the memory that its sessions took."""
        page = self.pages.pop(name, None)
        if page is not None:
            _close(page.content)


def _close(page: Any) -> None:
    """A page of Playwright, which may have crashed already."""
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        page.close()


class Running:
    """Playwright's driver and the browser, used in their thread alone. `live` is set by whoever
    started it; `processes` are the driver, the browser and what that started; `unsandboxed` says
    why pages run outside of the browser's sandbox, None where they run inside."""

    def __init__(self) -> None:
        self.live: Live | None = None
        self.unsandboxed: str | None = None
        self.browser: Any = None
        self.processes: list[Any] = []
        self._playwright: Any = None
        self._folders: list[str] = []

    def start(self, manager: Any, program: Program) -> None:
        import psutil

        before, threads = set(psutil.Process().children()), set(threading.enumerate())
        self._playwright = manager.start()
        self._folders = [tempfile.mkdtemp(prefix="rpgen-browser-")]
        try:
            self.browser = self._sandboxed(program)
        finally:
            new = [each for each in psutil.Process().children() if each not in before]
            driver = [each for each in new if "run-driver" in _words(each)]
            self.processes = [*driver, *(p for each in driver for p in descendants(each))]
            words = [word for each in self.processes[1:2] for word in _words(each)]
            self._folders += [w.removeprefix(_PROFILE) for w in words if w.startswith(_PROFILE)]
            for thread in set(threading.enumerate()) - threads:
                if "waitpid-" in thread.name:  # asyncio waits for the driver in it
                    thread.name = "rpgen browser's end"

    def _sandboxed(self, program: Program) -> Any:
        """The browser, in its sandbox where it can have one: as root it refuses to start there,
        and some systems give nobody the namespaces for it."""
        from playwright.sync_api import Error

        self.unsandboxed = "it was started by root" if _is_root() else None
        try:
            return self._launched(program)
        except Error as error:
            if self.unsandboxed or "sandbox" not in str(error).lower():
                raise
        self.unsandboxed = "this system lets it have none"
        logger.warning("The browser runs without its sandbox: %s", self.unsandboxed)
        return self._launched(program)

    def _launched(self, program: Program) -> Any:
        return self._playwright.chromium.launch(
            executable_path=program.path,
            artifacts_dir=self._folders[0],
            args=list(program.flags),
            env={**os.environ, **program.env},
            chromium_sandbox=self.unsandboxed is None,
            handle_sigint=False,  # a run that is interrupted still ends its tests
        )

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
        """Whatever is left of it. Harmless where nothing was started."""
        import psutil
        from playwright.sync_api import Error

        alive = self.is_alive()
        self.live = None
        if self._playwright is None:
            return
        with contextlib.suppress(Error):  # it is gone already, and below it is made sure of
            if alive:
                self.browser.close()
            self._playwright.stop()
        self._playwright = None
        for process in reversed(self.processes):
            with contextlib.suppress(psutil.Error):
                process.kill()
        for folder in self._folders:  # a driver that was killed leaves them
            shutil.rmtree(folder, ignore_errors=True)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _words(process: Any) -> list[str]:
    """The command line of a process; [] where it has ended."""
    import psutil

    try:
        return [str(word) for word in process.cmdline()]
    except psutil.Error:
        return []


def descendants(process: Any) -> list[Any]:
    import psutil

    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def memory_of(process: Any) -> int:
    """In bytes: of pages that it shares its part, where the system tells that; 0 once it ended."""
    import psutil

    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        pass
    except psutil.Error:
        return 0
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def said(error: BaseException) -> str:
    """What an error of Playwright says, without its log; of a missing library, its name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    libraries = [line for line in lines if "error while loading shared libraries" in line]
    if libraries:
        return libraries[0].partition("error while loading ")[2]
    return lines[0] if lines else type(error).__name__
