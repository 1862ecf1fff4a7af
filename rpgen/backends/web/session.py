"""One model in a page: one execution provider, opened again where its browser died."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpgen.backends.base import BackendError, LostError
from rpgen.backends.web.browser import SharedBrowser
from rpgen.backends.web.running import Live
from rpgen.backends.web.wire import WireError, decode, encode

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES_KEPT = 64 * 2**20
"""Of models that a page without sessions may have loaded and stay open."""

_numbers = itertools.count(1)
_LOST = re.compile(r"\b(lost|destroyed|crashed)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Provider:
    """An execution provider of onnxruntime-web: its name there, and how a session asks for it."""

    name: str
    asked: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """What a page told when it had made a session. `page` is the number of that page,
    `unsandboxed` why its browser has no sandbox."""

    page: int
    version: str
    inputs: tuple[str, ...]
    placements: tuple[Mapping[str, Any], ...]
    seconds: float
    threads: int
    unsandboxed: str | None = None


class PageSession:
    """Made open. `run` opens it again in a fresh browser where the one it was in is gone."""

    def __init__(self, browser: SharedBrowser, provider: Provider, model: Path | bytes) -> None:
        self._browser, self._provider, self._model = browser, provider, model
        self._id = f"session-{next(_numbers)}"
        # those of one provider share a page, and with it the compiled runtime; but in one page
        alone = provider.name == "webgpu"  # its sessions spoil each other's results
        self._page = self._id if alone else provider.name
        self.opened = browser.do(self._open)

    def run(self, arrays: "Mapping[str, np.ndarray[Any, Any]]") -> "dict[str, Any]":
        """Raises BackendError; what the browser lost with that, the next run opens again."""
        try:
            content = encode({name: arrays[name] for name in self.opened.inputs})
        except WireError as error:
            raise BackendError(str(error)) from error
        try:
            return decode(self._browser.do(lambda live: self._run(live, content)))
        except WireError as error:
            raise BackendError(f"the page's answer: {error}") from error

    def release(self) -> None:
        """Its page closes with its last session, unless it held little: the memory of a page
        never shrinks, but the runtime is compiled in it. What is gone needs no releasing."""
        self._browser.later(self._release)

    def _open(self, live: Live) -> Opened:
        model = self._model
        name = live.server.give(model) if isinstance(model, bytes) else live.server.offer(model)
        request = {
            "id": self._id,
            "model": live.server.address(name),
            "provider": dict(self._provider.asked),
            "options": dict(self._provider.options),
        }
        try:
            told = _ask(live, self._page, "prepare", request)
            page = live.page(self._page).number
        finally:
            live.server.withdraw(name)
        return Opened(
            page=page,
            version=live.version,
            inputs=tuple(told["inputs"]),
            placements=tuple(told["placements"]),
            seconds=float(told["fetchSeconds"]) + float(told["createSeconds"]),
            threads=int(told["threads"]),
            unsandboxed=live.unsandboxed,
        )

    def _run(self, live: Live, content: bytes) -> bytes:
        if not live.has(self._page, self.opened.page):
            self.opened = self._open(live)
        inputs, outputs = live.server.give(content), live.server.expect()
        request = {
            "id": self._id,
            "inputs": live.server.address(inputs),
            "outputs": live.server.address(outputs),
        }
        try:
            _ask(live, self._page, "run", request)
            answer = live.server.taken(outputs)
        finally:
            live.server.withdraw(inputs, outputs)
        if answer is None:
            raise BackendError("the page sent no outputs")
        return answer

    def _release(self, live: Live) -> None:
        if not live.has(self._page, self.opened.page):
            return
        told = _ask(live, self._page, "release", {"id": self._id})
        if told["left"] == 0 and (self._page == self._id or told["bytesLoaded"] > MOST_BYTES_KEPT):
            live.close_page(self._page)


def _ask(live: Live, page: str, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Call a function of the page. Where it fails the page is closed, for what a failure leaves
    of a page is not worth a second try; where a device or context was lost, so is the browser."""
    from playwright.sync_api import Error

    try:
        told: dict[str, Any] = live.page(page).content.evaluate(
            "([name, request]) => rpgen[name](request)", [function, dict(request)]
        )
    except Error:
        live.close_page(page)
        raise
    if "error" in told:
        message = _message(told)
        live.close_page(page)
        lost = _LOST.search(message)
        live.spoiled = lost is not None or "aborted" in message.lower()
        raise LostError(message) if lost else BackendError(message)
    return told


def _message(told: Mapping[str, Any]) -> str:
    """What the page says. A runtime that gave up has dropped its own reason by then."""
    message = " ".join(str(told["error"]).split())[:500]
    lacking = told.get("lacking") or ()
    if lacking:
        message += f" (it can't take {', '.join(sorted(map(str, lacking)))})"
    return message
