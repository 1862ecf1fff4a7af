"""Pages opened in a real browser, which must hear nothing from them but themselves."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import browser as browsers
from tests.system.run.conftest import Project

SIZES = {"wide": 1280, "narrow": 400}


@dataclass
class Opened:
    """A page in the browser, and all that was heard of it: nothing is as it should be."""

    page: Any
    address: str
    heard: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda message: self.heard.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.heard.append("a dialog"), dialog.dismiss()))
        self.page.on("request", self._request)

    def _request(self, request: Any) -> None:
        if request.url != self.address:
            self.heard.append(f"request: {request.url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    found = browsers.find()
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(browsers.MISSING)
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=browsers.flags())
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Open a page given as text or as a file; at the end nothing may have been heard of it."""
    opened: list[Opened] = []

    def open_one(page: str | Path, size: str = "wide", **options: Any) -> Opened:
        path = page if isinstance(page, Path) else tmp_path / f"page-{len(opened)}.html"
        if isinstance(page, str):
            path.write_text(page, "utf-8")
        viewport = {"width": SIZES[size], "height": 900}
        context = browser.new_context(viewport=viewport, **options)
        made = Opened(context.new_page(), path.as_uri())
        made.listen()
        made.page.goto(made.address)
        opened.append(made)
        return made

    yield open_one
    for each in opened:
        each.page.context.close()
        assert each.heard == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
