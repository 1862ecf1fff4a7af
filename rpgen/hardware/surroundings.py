"""What a probe may look at: files under a root, the environment, packages, programs.

Probes get one of these instead of reaching for the machine themselves, so that a test builds
a fake machine out of a folder and a dict. Reading answers `None` where there is nothing.
"""

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """What a program said. `status` is None where it could not be started or had to be stopped."""

    status: int | None
    output: str
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status == 0


def run_command(
    command: Sequence[str], timeout: float, env: Mapping[str, str] | None = None
) -> Finished:
    """Run a program without a shell or a keyboard, in a process group that dies at `timeout`.

    `env` is added to the environment.
    """
    import signal
    import subprocess

    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=None if env is None else {**os.environ, **env},
        )
    except OSError as error:
        return Finished(None, "", f"{command[0]} can't be started: {error.strerror or error}")
    with process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            return Finished(None, "", f"{Path(command[0]).name} gave no answer in {timeout:g} s")
    return Finished(
        process.returncode, output.decode(errors="replace"), errors.decode(errors="replace")
    )


def find_program(name: str) -> str | None:
    import shutil

    return shutil.which(name)


def load_library(name: str) -> object | None:
    """A shared library of the system by its file name; None where the loader has none."""
    import ctypes

    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


@dataclass(frozen=True)
class Surroundings:
    """One machine as probes see it; the defaults are this machine."""

    root: Path = Path("/")
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    search_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    system: str = field(default_factory=platform.system)
    machine: str = field(default_factory=platform.machine)
    python: str = sys.executable
    home: Path = field(default_factory=lambda: Path(os.path.expanduser("~")))  # noqa: PTH111 - never raises
    which: Callable[[str], str | None] = find_program
    run: Callable[[Sequence[str], float], Finished] = run_command
    library: Callable[[str], object | None] = load_library

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """The text of a file, stripped; None where it is not there or not for us to read."""
        try:
            return self.path(name).read_bytes().decode(errors="replace").strip("\0 \n\t")
        except OSError:
            return None

    def names(self, folder: str, beginning: str = "") -> tuple[str, ...]:
        """What a folder holds, sorted: the names that start with `beginning`."""
        try:
            found = os.listdir(self.path(folder))  # noqa: PTH208 - names alone, and fast
        except OSError:
            return ()
        return tuple(sorted(name for name in found if name.startswith(beginning)))

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def may_open(self, name: str) -> bool:
        """Whether this user may read and write a device node."""
        return os.access(self.path(name), os.R_OK | os.W_OK)
