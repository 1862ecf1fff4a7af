"""Writing a file whole or not at all: whoever reads it meanwhile sees what was there before."""

import contextlib
import uuid
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """UTF-8 with line feeds, under a name of its own first, then in `path`'s place in one step.

    Folders that are missing are made. OSError where it can't be written; nothing of it is left
    then, and what was there stays. Of two writers at once the later one's stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex}.new")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
