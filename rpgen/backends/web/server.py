"""What pages get, over loopback: themselves, the runtime, one model, arrays in and out.

Every address begins with a token that only this process and its browser know. No address is
ever turned into a path: what may be fetched stands in a table by its name, and nothing else.
"""

import hmac
import secrets
import shutil
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
MOST_BYTES = 4 << 30
"""Of one answer: more than a page's memory can hold."""


class PageServer:
    """Serves from its own threads until `close`. All methods may be called from any thread."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._token = secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        self._files = dict(files)
        self._given: dict[str, bytes] = {}
        self._taken: dict[str, bytes] = {}
        self._expected: set[str] = set()
        self._count = 0
        self._server = _Server(("127.0.0.1", 0), _Handler, self)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="rpgen pages", daemon=True
        )
        self._thread.start()

    def address(self, name: str) -> str:
        return f"http://{self.host}/{self._token}/{name}"

    def offer(self, file: Path) -> str:
        """The name under which a file can be fetched from now on, until it is withdrawn."""
        with self._lock:
            name = self._new_name("model")
            self._files[name] = file
        return name

    def give(self, content: bytes) -> str:
        """The name under which these bytes can be fetched."""
        with self._lock:
            name = self._new_name("given")
            self._given[name] = content
        return name

    def expect(self) -> str:
        """The name to which a page may send bytes, once."""
        with self._lock:
            name = self._new_name("taken")
            self._expected.add(name)
        return name

    def taken(self, name: str) -> bytes | None:
        """What a page sent there, and forget it; None where it sent nothing."""
        with self._lock:
            return self._taken.pop(name, None)

    def withdraw(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self._files.pop(name, None)
                self._given.pop(name, None)
                self._taken.pop(name, None)
                self._expected.discard(name)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def find(self, path: str) -> Path | bytes | None:
        """What stands under the path of a request: a file, or bytes."""
        name = self._name(path)
        with self._lock:
            return None if name is None else self._files.get(name) or self._given.get(name)

    def expects(self, path: str) -> bool:
        name = self._name(path)
        with self._lock:
            return name in self._expected

    def take(self, path: str, content: bytes) -> bool:
        name = self._name(path)
        with self._lock:
            if name is None or name not in self._expected:
                return False
            self._expected.discard(name)
            self._taken[name] = content
            return True

    def _name(self, path: str) -> str | None:
        """What a path asks for; None without the token."""
        token, _, name = path.removeprefix("/").partition("/")
        return name if hmac.compare_digest(token.encode(), self._token.encode()) else None

    def _new_name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type["_Handler"], pages: PageServer
    ) -> None:
        self.pages = pages
        super().__init__(address, handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        threading.current_thread().name = "rpgen page request"
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that dies in the middle of a request is noticed by who asked it."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        found = self.server.pages.find(self.path)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        elif isinstance(found, bytes):
            self._begin(HTTPStatus.OK, len(found), "application/octet-stream")
            self.wfile.write(found)
        else:
            self._send_file(found)

    def do_POST(self) -> None:
        if not self._is_ours():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif not self.server.pages.expects(self.path):
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            content = self.rfile.read(int(length))
            whole = len(content) == int(length)
            if not (whole and self.server.pages.take(self.path, content)):
                self._refuse(HTTPStatus.BAD_REQUEST)
                return
            self._begin(HTTPStatus.NO_CONTENT, 0, None)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """The library is quiet."""

    def _is_ours(self) -> bool:
        """A page of somewhere else that found the port asks with another name of the host."""
        if self.headers.get("Host") == self.server.pages.host:
            return True
        self._refuse(HTTPStatus.FORBIDDEN)
        return False

    def _send_file(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self._refuse(HTTPStatus.GONE)
            return
        with file:
            size = path.stat().st_size
            self._begin(HTTPStatus.OK, size, _KINDS.get(path.suffix, "application/octet-stream"))
            shutil.copyfileobj(file, self.wfile, 1 << 20)

    def _begin(self, status: HTTPStatus, length: int, kind: str | None) -> None:
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(length))
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        """And end the connection: what else was sent with the request isn't read."""
        self.close_connection = True
        self._begin(status, 0, None)
