"""The pinned files with which models run in a browser, and whether they are here.

    <cache>/web/chromium-153.0.0/         the browser with its libraries
    <cache>/web/onnxruntime-web-1.30.0/   what a page needs to run a model
    <cache>/web/*/installed.json          written last: a folder without it is not installed

Both are npm packages. `rpgen detect --install-browser` fetches them (`rpgen.backends.web`); here
is only what a probe needs: names, and a look at sizes.
"""

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from rpgen.paths import user_cache_folder

INSTALL = "rpgen detect --install-browser"
INSTALLED = "installed.json"
SOFTWARE_ADAPTERS = "RPGEN_SOFTWARE_ADAPTERS"
"""Set to 1, it lets a GPU that the processor imitates count as available for WebGPU."""

PACKAGES = {"playwright": "drives the browser", "onnx": "a model is exported with"}
"""What the extra `web` brings, and what each is for."""


@dataclass(frozen=True)
class PinnedPackage:
    """One version of an npm package. `integrity` is npm's own: sha512 of the archive, base64."""

    name: str
    version: str
    size: int
    integrity: str
    files: tuple[str, ...]

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def folder_name(self) -> str:
        return f"{self.short_name}-{self.version}"

    @property
    def archive_name(self) -> str:
        """As `npm pack` calls it."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def address(self) -> str:
        """Below the address of a registry."""
        return f"{self.name}/-/{self.short_name}-{self.version}.tgz"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


CHROMIUM = PinnedPackage(
    "@sparticuz/chromium",
    "153.0.0",
    69_995_309,
    "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==",
    ("bin/chromium.br", "bin/al2023.tar.br", "bin/swiftshader.tar.br", "bin/fonts.tar.br"),
)
"""Chromium for headless use, with the few libraries that it needs: nothing of the system's but
the C library. Built with WebNN, which Debian's is not."""

RUNTIME = PinnedPackage(
    "onnxruntime-web",
    "1.30.0",
    33_106_585,
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    (
        "dist/ort.jspi.min.mjs",
        "dist/ort-wasm-simd-threaded.jspi.mjs",
        "dist/ort-wasm-simd-threaded.jspi.wasm",
    ),
)


def web_folder() -> Path:
    return user_cache_folder() / "web"


def has_own_browser(system: str | None = None, machine: str | None = None) -> bool:
    """Whether there is a pinned browser for such a machine: Linux on x86-64."""
    found = (machine or platform.machine()).lower()
    return (system or platform.system()) == "Linux" and found in ("x86_64", "amd64")


def needed(system: str | None = None, machine: str | None = None) -> tuple[PinnedPackage, ...]:
    """Elsewhere the browser that is installed has to do."""
    return (CHROMIUM, RUNTIME) if has_own_browser(system, machine) else (RUNTIME,)


def is_whole(folder: Path, package: PinnedPackage) -> bool:
    """Whether a folder has all that was unpacked into it, by name and size."""
    try:
        made = json.loads((folder / INSTALLED).read_text(encoding="utf-8"))
        sizes = made["files"].items()
        return bool(
            made["integrity"] == package.integrity
            and sizes
            and all((folder / name).stat().st_size == size for name, size in sizes)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def installed(package: PinnedPackage, folder: Path | None = None) -> Path | None:
    """The folder of an installed package; None where it isn't, or something of it is missing."""
    place = (folder or web_folder()) / package.folder_name
    return place if is_whole(place, package) else None


def chosen_browser() -> Path | None:
    """The program that `RPGEN_BROWSER` names."""
    named = os.environ.get("RPGEN_BROWSER")
    return Path(named) if named else None
