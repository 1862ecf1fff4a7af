"""Which browser WebGPU, WebNN and wasm would run in, without starting it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rpgen.hardware.browser_files import (
    CHROMIUM,
    INSTALL,
    PACKAGES,
    RUNTIME,
    has_own_browser,
    installed,
    web_folder,
)
from rpgen.hardware.packages import installed_versions
from rpgen.hardware.surroundings import Surroundings

PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
INSTALL_DRIVER = 'pip install "rpgen[web]"'

_IMITATIONS = ("vgem", "vkms", "bochs-drm", "simple-framebuffer")
"""Kernel drivers without a GPU below them."""

_VULKAN = ("etc/vulkan/icd.d", "usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d")
_SOFTWARE_VULKAN = ("lvp_icd", "vk_swiftshader")
_CHOSEN_DRIVERS = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""A browser reaches a GPU through Vulkan on Linux: where its drivers are listed, those of them that
the processor computes, and the variables that name others."""

_MAC_APPLICATIONS = ("Google Chrome", "Chromium", "Microsoft Edge")


@dataclass(frozen=True)
class Browser:
    """What there is to drive: `name` is the browser that would be taken, None without one;
    `runtime` the version of onnxruntime-web that is here, `packages` those of Python's."""

    name: str | None
    runtime: str | None
    packages: Mapping[str, str | None]
    pinned: bool = True
    asked_for: str | None = None

    @property
    def missing(self) -> tuple[str, str]:
        """(reason, remedy) for what is missing; empty where nothing is."""
        absent, remedies = [], []
        lacking = [name for name, version in self.packages.items() if version is None]
        absent += [f"{name}, which {PACKAGES[name]}, isn't installed" for name in lacking]
        remedies += [INSTALL_DRIVER] * bool(lacking)
        if self.name is None and not self.pinned:
            wrong = f"RPGEN_BROWSER names {self.asked_for}, which isn't there"
            absent.append(wrong if self.asked_for else "no Chromium, Chrome or Edge found")
            remedies.append("install one, or name one with RPGEN_BROWSER")
        files = {f"Chromium {CHROMIUM.version}": self.name} if self.pinned else {}
        files[str(RUNTIME)] = self.runtime
        if unfetched := [name for name, found in files.items() if found is None]:
            verb = "isn't" if len(unfetched) == 1 else "aren't"
            absent.append(f"{' and '.join(unfetched)} {verb} installed")
            remedies.append(INSTALL)
        return "; ".join(absent), "; ".join(remedies)


def find(here: Surroundings) -> Browser:
    versions = installed_versions(list(PACKAGES), here.search_path)
    packages = {name: versions.get(name) for name in PACKAGES}
    folder = _folder(here)
    runtime = folder and installed(RUNTIME, folder)
    asked_for = here.env.get("RPGEN_BROWSER")
    pinned = not asked_for and has_own_browser(here.system, here.machine)
    version = RUNTIME.version if runtime else None
    return Browser(browser_name(here), version, packages, pinned, asked_for)


def browser_name(here: Surroundings) -> str | None:
    """The browser that would be taken: the one named, the pinned one, or the system's where
    none is pinned for it. Costs a few look-ups of files."""
    named = here.env.get("RPGEN_BROWSER")
    if named:
        return Path(named).name if here.exists(named) else None
    if has_own_browser(here.system, here.machine):
        folder = _folder(here)
        found = folder and installed(CHROMIUM, folder)
        return f"Chromium {CHROMIUM.version}" if found else None
    program = system_program(here)
    return Path(program).name if program else None


def browser_stamp(here: Surroundings) -> str | None:
    """What changes when a browser or what it needs comes or goes; None where nothing is here."""
    found = find(here)
    present = (found.name, found.runtime and str(RUNTIME))
    return ", ".join(each for each in present if each) or None


def system_program(here: Surroundings) -> str | None:
    """The first browser that the system has."""
    for name in PROGRAMS:
        if found := here.which(name):
            return found
    for name in _MAC_APPLICATIONS if here.system == "Darwin" else ():
        program = f"/Applications/{name}.app/Contents/MacOS/{name}"
        if here.exists(program):
            return program
    return None


def missing_gpu(here: Surroundings) -> str:
    """Why a browser can find no GPU; "" where it may. Other systems than Linux always have one."""
    if here.system != "Linux":
        return ""
    nodes = here.names("dev/dri", "renderD")
    if not nodes:
        return "no render node in /dev/dri"
    drivers = {_driver(here, node) for node in nodes}
    if drivers <= set(_IMITATIONS):
        return f"/dev/dri has no GPU below it, only {', '.join(sorted(drivers))}"
    chosen = [here.env[name] for name in _CHOSEN_DRIVERS if here.env.get(name)]
    found = [name for folder in _VULKAN for name in here.names(folder, "")]
    if not chosen and not [n for n in found if not n.startswith(_SOFTWARE_VULKAN)]:
        return "no Vulkan driver for a GPU is installed"
    return ""


def _driver(here: Surroundings, node: str) -> str:
    """The kernel's driver of a render node; "" where it isn't told."""
    try:
        return here.path(f"sys/class/drm/{node}/device/driver").readlink().name
    except OSError:
        return ""


def _folder(here: Surroundings) -> Path | None:
    """Where the files are kept; None without platformdirs, which says where that would be."""
    named = here.env.get("RPGEN_CACHE_DIR")
    if named:
        return Path(named) / "web"
    try:
        return web_folder()
    except ModuleNotFoundError:
        return None
