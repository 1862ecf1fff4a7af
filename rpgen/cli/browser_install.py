"""`rpgen detect --install-browser`: the pinned browser files, with progress on a terminal."""

import json
import sys
import time
from pathlib import Path

from rpgen.hardware.browser_files import PinnedPackage


def install_and_print(*, as_json: bool) -> int:
    """Fetch what is missing, and say where everything is."""
    from rpgen.backends.web.install import install

    found = install(progress=_Progress() if sys.stderr.isatty() else _say_nothing)
    if as_json:
        places = {str(package): str(place) for package, place in found.items()}
        print(json.dumps({"schema": 1, "installed": places}, indent=2, ensure_ascii=False))
    else:
        for package, place in found.items():
            print(_line(package, place))
    return 0


def _line(package: PinnedPackage, place: Path) -> str:
    return f"{package} is in {place}"


def _say_nothing(what: str, done: int, total: int) -> None:
    """Where nobody looks on there is no progress to show."""


class _Progress:
    """One line that is written over, at most ten times a second."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        ended = done >= total
        if time.monotonic() < self._next and not ended:
            return
        self._next = time.monotonic() + 0.1
        share = f"{100 * done // max(total, 1):3d} %"
        sys.stderr.write(f"\r\x1b[K{what} {share}" + ("\n" if ended else ""))
        sys.stderr.flush()
