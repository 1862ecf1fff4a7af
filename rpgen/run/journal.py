"""The journal of a run: one JSON line per event, appended by several processes.

An event is one `write` to a file opened for appending, so lines of worker and supervisor
never mix, and what was written stays whatever dies next. Only the last line of a process
that was killed, or of a full disk, can be torn; readers leave it out.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from rpgen.errors import OutputError
from rpgen.run.events import Event, from_dict, to_dict


class Journal:
    """Appends events. `OutputError` where that isn't possible, for a full disk say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error

    def append(self, event: Event) -> None:
        line = json.dumps(to_dict(event), default=str, separators=(",", ":")).encode() + b"\n"
        try:
            written = os.write(self._file, line)
            if written < len(line):  # the disk filled up on the way; this says so
                os.write(self._file, line[written:])
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def mend(self) -> None:
        """End a line that a dead process left torn, so that the next event has its own."""
        size = os.fstat(self._file).st_size
        try:
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def check(self) -> None:
        """`OutputError` where nothing more can be written: an empty line is no event."""
        try:
            os.write(self._file, b"\n")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        os.close(self._file)


class Tail:
    """Follows a journal: each call of `read` gives the events that are new."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._rest = b""

    def read(self) -> list[Event]:
        new = self._file.read()
        if not new:
            return []
        *lines, self._rest = (self._rest + new).split(b"\n")
        return [event for event in map(parse, lines) if event]

    def close(self) -> None:
        self._file.close()


_BEGINNING = b'{"event":"'


def parse(line: bytes) -> Event | None:
    """The event on a line; None for a torn line and for an event of a later version.

    Where a worker was killed while it wrote, another one's event follows on the same line. It
    is found by its beginning, which can't stand inside a string of an event: quotes are escaped.
    """
    try:
        values = json.loads(line[max(0, line.rfind(_BEGINNING)) :])
    except ValueError:
        return None
    return from_dict(values) if isinstance(values, dict) else None


def read(path: Path) -> Iterator[Event]:
    """All events of a journal that ended, or of one that still grows, up to now."""
    tail = Tail(path)
    try:
        yield from tail.read()
    finally:
        tail.close()


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the run's journal {path} can't be written ({error.strerror or error}); make room there, "
        "or name another folder in RPGEN_STATE_DIR"
    )
