"""One pinned archive from a registry onto the disk: resumed where it was torn, and checked.

    downloads/onnxruntime-web-1.30.0.tgz.part   what has come so far
    downloads/onnxruntime-web-1.30.0.tgz        whole, its content that of the pin

A file that somebody puts there by hand is taken as well, if its content is the pinned one.
"""

import base64
import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from rpgen.backends.web.npm_registry import NpmSettings
from rpgen.errors import MissingPackageError
from rpgen.hardware.browser_files import PinnedPackage

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many bytes of it, and of how many."""

ATTEMPTS = 4
TIMEOUT = 30.0
_CHUNK = 1 << 18


def archive(
    package: PinnedPackage,
    folder: Path,
    settings: NpmSettings,
    progress: Progress,
) -> Path:
    """The archive of a package in `folder`. Raises MissingPackageError, saying what to do."""
    whole = folder / package.archive_name
    part = folder / f"{package.archive_name}.part"
    if whole.exists():
        if integrity(whole) == package.integrity:
            return whole
        whole.unlink()
    address = settings.registry(package.name) + package.address
    torn = "it was torn"
    for _attempt in range(ATTEMPTS):
        torn = _fetch(package, address, part, settings, progress)
        if not torn:
            break
    else:
        raise _unreachable(package, address, folder, torn)
    if integrity(part) != package.integrity:
        part.unlink()
        raise MissingPackageError(
            f"what {address} gave is not the pinned {package}: its content differs, and it was "
            f"thrown away; look at the registry or the proxy between"
        )
    part.replace(whole)
    return whole


def integrity(file: Path) -> str:
    """npm's integrity of a file: sha512 in base64."""
    with file.open("rb") as content:
        return base64.b64encode(hashlib.file_digest(content, "sha512").digest()).decode()


def _fetch(
    package: PinnedPackage,
    address: str,
    part: Path,
    settings: NpmSettings,
    progress: Progress,
) -> str:
    """Append to what has come so far. Returns why it was torn, "" where it is whole.

    Raises MissingPackageError where trying again is no use.
    """
    folder = part.parent
    have = part.stat().st_size if part.exists() else 0
    if have >= package.size:
        return ""
    request = urllib.request.Request(address, headers={"User-Agent": "rpgen"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with _opener(settings).open(request, timeout=TIMEOUT) as answer:
            resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            with part.open("ab" if resumed else "wb") as file:
                _copy(answer, file, package, have if resumed else 0, progress)
    except urllib.error.HTTPError as error:
        with error:
            raise _unreachable(package, address, folder, _of_status(error.code)) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        if not part.exists() or part.stat().st_size == have:  # nothing came: no use
            raise _unreachable(package, address, folder, str(reason)) from error
        return str(reason)
    return "" if part.stat().st_size >= package.size else "it ended before its end"


def _copy(answer: Any, file: IO[bytes], package: PinnedPackage, have: int, tell: Progress) -> None:
    """No more than the pin promises: who sends more sends something else."""
    while have <= package.size and (chunk := answer.read(_CHUNK)):
        file.write(chunk)
        have += len(chunk)
        tell(str(package), min(have, package.size), package.size)


def _opener(settings: NpmSettings) -> urllib.request.OpenerDirector:
    """Proxies of the environment go before npm's."""
    proxies = {**settings.proxies, **urllib.request.getproxies()}
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler(proxies)]
    extra = settings.authorities or os.environ.get("NODE_EXTRA_CA_CERTS")
    if extra and Path(extra).is_file():
        context = ssl.create_default_context()
        context.load_verify_locations(extra)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _of_status(code: int) -> str:
    words = http.client.responses.get(code, "")
    login = ": it wants a login" if code in (401, 403, 407) else ""
    return f"it answered {code} {words}".rstrip() + login


def _unreachable(
    package: PinnedPackage, address: str, folder: Path, reason: str
) -> MissingPackageError:
    return MissingPackageError(
        f"{package} can't be fetched from {address} ({reason}): try again where the registry is "
        f"in reach, or put its archive, {package.archive_name}, into {folder} and do this again"
    )
