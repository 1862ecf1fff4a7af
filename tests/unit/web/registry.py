"""A registry of npm on loopback, with packages made here, that misbehaves on request."""

import base64
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli

from rpgen.hardware.browser_files import PinnedPackage

CONTENT = bytes(range(256)) * 2000


def tree(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


def archive_of(files: Mapping[str, bytes]) -> bytes:
    return tree({f"package/{name}": content for name, content in files.items()}, "w:gz")


BROWSER_FILES = {
    "bin/chromium.br": brotli.compress(b"#!/bin/sh\n" + CONTENT, quality=0),
    "bin/al2023.tar.br": brotli.compress(tree({"lib/libnss3.so": b"nss"}), quality=0),
    "bin/swiftshader.tar.br": brotli.compress(tree({"libEGL.so": b"egl"}), quality=0),
    "bin/fonts.tar.br": brotli.compress(tree({"fonts/a.ttf": b"a"}), quality=0),
    "README.md": b"not needed",
}
BROWSER = archive_of(BROWSER_FILES)


def pinned(content: bytes, *files: str, name: str = "@scope/thing") -> PinnedPackage:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return PinnedPackage(name, "1.2.3", len(content), digest, files)


class Registry:
    """Answers with `content`. Set what shall go wrong; `asked` has the Range of each request."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[str, str | None]] = []
        self.torn_after: list[int] = []
        self.status = 200
        self.ranges = True
        self.address = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append((handler.path, wanted))
        if self.status != 200:
            handler.send_error(self.status)
            return
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        body = self.content[begin:]
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: self.torn_after.pop(0)] if self.torn_after else body)
        handler.close_connection = True


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.answer(self)

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    registry.address = f"http://127.0.0.1:{server.server_address[1]}/npm"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
