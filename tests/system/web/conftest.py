"""The browser that `make browser` installed, lent to tests that otherwise keep to themselves."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rpgen.backends.web.browser import SharedBrowser, close_shared_browser
from rpgen.backends.web.program import FLAGS, Missing, Program, find_program
from rpgen.hardware.browser_files import web_folder

INSTALLED_AT = web_folder()
"""Before a test gets a cache folder of its own."""


@pytest.fixture(autouse=True)
def browser_files(_own_surroundings: None) -> Program:
    """The installed files in this test's cache folder. In CI they have to be there."""
    cache = Path(os.environ["RPGEN_CACHE_DIR"])
    cache.mkdir(exist_ok=True)
    if not (cache / "web").is_symlink():
        (cache / "web").symlink_to(INSTALLED_AT)
    found = find_program()
    if isinstance(found, Missing):
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"{found.reason}: {found.remedy}")
    return found


@pytest.fixture(scope="session", autouse=True)
def _one_browser_for_all() -> Iterator[None]:
    yield
    close_shared_browser()


@pytest.fixture
def own_browser(browser_files: Program) -> Iterator[SharedBrowser]:
    """A browser that a test may kill."""
    found = SharedBrowser(browser_files)
    yield found
    found.close()


def without(program: Program, flag: str) -> Program:
    """A browser that is started without something."""
    assert flag in FLAGS
    kept = tuple(each for each in program.flags if each != flag)
    return Program(program.path, program.runtime, kept, program.env)


def gone(pids: tuple[int, ...], patience: float = 10.0) -> bool:
    """Whether all of these end within the patience."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if all(_has_ended(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
