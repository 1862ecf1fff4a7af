"""Which browser is started, and how; or what is missing, and what to do about it."""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rpgen.hardware.browser_files import (
    CHROMIUM,
    INSTALL,
    PACKAGES,
    RUNTIME,
    chosen_browser,
    has_own_browser,
    installed,
)

FLAGS = (
    "--enable-unsafe-webgpu",
    "--enable-features=WebMachineLearningNeuralNetwork",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True)
class Program:
    """A browser to start, and the folder of onnxruntime-web. `env` is added to the environment."""

    path: Path
    runtime: Path
    flags: tuple[str, ...] = FLAGS
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    reason: str
    remedy: str


def find_program() -> Program | Missing:
    for package, use in PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            return Missing(f"{package}, which {use}, isn't installed", 'pip install "rpgen[web]"')
    runtime = installed(RUNTIME)
    chosen = chosen_browser()
    if chosen is not None and not (chosen.is_file() and os.access(chosen, os.X_OK)):
        reason = f"RPGEN_BROWSER names {chosen}, which is no program"
        return Missing(reason, f"let it name a Chromium, or unset it and run {INSTALL}")
    if chosen is not None or not has_own_browser():
        path = chosen or _of_the_system()
        if path is None:
            reason = "no Chromium, Chrome or Edge found"
            return Missing(reason, "install one, or name one with RPGEN_BROWSER")
        return Program(path, runtime) if runtime else _not_installed(str(RUNTIME))
    browser = installed(CHROMIUM)
    if browser is None or runtime is None:
        pinned = {f"Chromium {CHROMIUM.version}": browser, str(RUNTIME): runtime}
        return _not_installed(" and ".join(name for name, place in pinned.items() if not place))
    return Program(browser / "chromium", runtime, env=_libraries(browser))


def _not_installed(what: str) -> Missing:
    return Missing(f"{what}, to run models in a browser, can't be found", INSTALL)


def _libraries(browser: Path) -> dict[str, str]:
    """Its own libraries, before those of whoever started this."""
    inherited = os.environ.get("LD_LIBRARY_PATH")
    own = str(browser / "lib")
    return {
        "LD_LIBRARY_PATH": f"{own}:{inherited}" if inherited else own,
        "FONTCONFIG_PATH": str(browser),
    }


def _of_the_system() -> Path | None:
    from rpgen.hardware.browsers import system_program
    from rpgen.hardware.surroundings import Surroundings

    found = system_program(Surroundings())
    return Path(found) if found else None
