"""The Chromium that the tests of the HTML pages open them in: finding it, and installing it.

`python -m tests.browser` is what `make test` runs: it installs one where there is none, by
the system's package manager or by Playwright. Without one those tests are skipped, with the
reason; in CI (`CI` is set) they fail.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
MISSING = (
    "the tests of the HTML pages need a Chromium, and there is none: install the system's package "
    "chromium (`make test` does, as root with apt-get), or `python -m playwright install chromium`"
)


def find() -> Path | None:
    """A Chromium on the search path, or Playwright's own."""
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.is_file() else None


def flags() -> list[str]:
    """No traffic of the browser's own; as root it has no sandbox to build."""
    return [*FLAGS, *(["--no-sandbox"] if os.getuid() == 0 else [])]


def install() -> Path | None:
    """Whatever way works; what a way that fails has to say is shown."""
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.getuid() == 0 and shutil.which("apt-get"):
        ways.insert(0, ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"])
        subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
    for way in ways:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(way, check=False, env=environment, stdout=subprocess.DEVNULL)
        if found := find():
            return found
    return None


def main() -> int:
    found = find() or install()
    print(f"browser: {found}" if found else MISSING, file=sys.stdout if found else sys.stderr)
    return 0 if found or not os.environ.get("CI") else 1


if __name__ == "__main__":
    sys.exit(main())
