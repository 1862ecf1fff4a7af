"""Reports as files: written whole or not at all, so that a reader never sees half of one."""

from pathlib import Path

from rpgen.errors import OutputError
from rpgen.whole_files import write_whole


def write_text(path: Path, text: str, option: str) -> None:
    """`OutputError` where that isn't possible; `option` is what names another path."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(
            f"the report {path} can't be written ({error.strerror}); give another {option} path"
        ) from error


def append_text(path: Path, text: str, option: str) -> None:
    """For a file that several steps add to."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(
            f"{option} names {path}, which can't be written: {error.strerror}"
        ) from error
