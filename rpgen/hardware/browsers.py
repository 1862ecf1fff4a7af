"""Which browser WebGPU and WebNN would run in, without starting it."""

from dataclasses import dataclass

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
INSTALL_BROWSER = (
    "install a Chromium: python -m playwright install chromium, or the system's package"
)

_MAC_APPLICATIONS = ("Google Chrome", "Chromium", "Microsoft Edge")
_PLAYWRIGHT_FOLDERS = {
    "Linux": ".cache/ms-playwright",
    "Darwin": "Library/Caches/ms-playwright",
    "Windows": "AppData/Local/ms-playwright",
}


@dataclass(frozen=True)
class Browser:
    """What there is to drive: `name` is the browser found, None without one."""

    name: str | None
    playwright: str | None

    @property
    def missing(self) -> tuple[str, str]:
        """(reason, remedy) for what is missing; empty where nothing is."""
        remedies = []
        absent = []
        if self.name is None:
            absent.append("no Chromium, Chrome or Edge found")
            remedies.append(INSTALL_BROWSER)
        if self.playwright is None:
            absent.append("playwright, which drives the browser, isn't installed")
            remedies.insert(0, INSTALL_DRIVER)
        return " and ".join(absent), "; ".join(remedies)


def find(here: Surroundings) -> Browser:
    playwright = installed_versions(["playwright"], here.search_path).get("playwright")
    return Browser(browser_name(here), playwright)


def browser_name(here: Surroundings) -> str | None:
    """The first browser at hand by the name of its program; costs a few look-ups of files."""
    for name in PROGRAMS:
        if here.which(name):
            return name
    if here.system == "Darwin":
        for name in _MAC_APPLICATIONS:
            if here.exists(f"Applications/{name}.app"):
                return name
    default = here.home / _PLAYWRIGHT_FOLDERS.get(here.system, ".cache/ms-playwright")
    folder = here.env.get("PLAYWRIGHT_BROWSERS_PATH") or str(default)
    fetched = here.names(folder, "chromium")
    return f"playwright's {fetched[-1]}" if fetched else None


def gpu_is_here(here: Surroundings) -> bool:
    """Whether a browser could find a GPU: a render node, or a system that always has one."""
    return here.system != "Linux" or bool(here.names("dev/dri", "renderD"))
