"""The terminal, in one place: where tables go, where warnings go."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> "Console":
    """The console of results. Without a terminal it writes plain text, never wrapped."""
    return _console(stderr=False)


def stderr() -> "Console":
    """The console of progress, warnings and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(stderr=stderr, highlight=False, width=width, soft_wrap=not stream.isatty())


def warn(message: str) -> None:
    """One line on stderr; nothing is lost, something deserves a look."""
    print(f"rpgen: warning: {one_line(message)}", file=sys.stderr)


def fail(message: str) -> None:
    """The one sentence that an error gets."""
    print(f"rpgen: {one_line(message)}", file=sys.stderr)


def one_line(message: str) -> str:
    """`message` without line breaks and control characters, which names of files may hold."""
    flat = " ".join(str(message).split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in flat)
