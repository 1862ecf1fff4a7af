"""What a test printed: a stretch of the worker's log, read back only where it is needed."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from rpgen.run.verdict import OUTPUT_LIMIT

LOG_LIMIT = 64 * 2**20
"""The supervisor empties the log beyond this, so that a flood of output fills no disk."""

_EMPTIED = b"[... what was printed before filled the log and was dropped ...]\n"

KEPT_AFTER_RUN = 2**20


def position() -> int:
    """Where in the log the next output will be."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        return os.fstat(1).st_size
    except OSError:  # a test closed its standard output
        return 0


def printed_since(begin: int, log: str, limit: int = OUTPUT_LIMIT) -> str | None:
    """What the log has from `begin` on: its beginning and end if it is long, None if nothing."""
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    try:
        with Path(log).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = begin if begin <= size else 0  # it was emptied meanwhile
            if size - start <= limit:
                return _text(_read(file, start, size)) or None
            head = _text(_read(file, start, start + limit // 3))
            tail = _text(_read(file, size - limit * 2 // 3, size))
            return f"{head}\n[... {size - start - limit} bytes left out ...]\n{tail}"
    except OSError:
        return None


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").strip("\n")


def last_words(log: Path, lines: int = 3) -> str:
    """The end of the log in one line, for the message of an error."""
    text = printed_since(0, str(log)) or "it left no message"
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(said[-lines:])


def bound(log: Path) -> None:
    """Empty the log once it is longer than it may be, and say so in it: first, since cutting off
    so much takes a while, and who reads meanwhile shall find the reason."""
    if log.stat().st_size > LOG_LIMIT:
        with log.open("r+b", buffering=0) as file:  # the worker appends, wherever the end is
            file.write(_EMPTIED)
            file.truncate(len(_EMPTIED))


def keep_end(log: Path, limit: int = KEPT_AFTER_RUN) -> None:
    """Cut a log down to its end, once nobody writes to it: runs are kept, floods are not."""
    size = log.stat().st_size
    if size > limit:
        with log.open("rb") as file:
            end = _read(file, size - limit, size)
        log.write_bytes(end)
