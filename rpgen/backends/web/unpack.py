"""From an archive of npm to the folder that a browser or a page is started from."""

import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from rpgen.errors import MissingPackageError
from rpgen.hardware.browser_files import INSTALLED, PinnedPackage

_CHUNK = 1 << 20
_PLACES = {"al2023.tar.br": "lib"}
"""Where the parts of the browser go; those that aren't named lie beside the program."""


def unpack(package: PinnedPackage, archive: Path, folder: Path) -> None:
    """The files that rpgen needs of a package, into `folder`, which is new and empty.

    Raises MissingPackageError where the archive lacks one, or brotli isn't installed.
    """
    packed = {f"package/{name}" for name in package.files}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                if member.name in packed and member.isfile():
                    packed.discard(member.name)
                    _put(members.extractfile(member), Path(member.name).name, folder)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise MissingPackageError(f"{archive} can't be unpacked: {error}") from error
    if packed:
        raise MissingPackageError(f"{archive} has no {', '.join(sorted(packed))}")
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    made = {"package": str(package), "integrity": package.integrity, "files": sizes}
    (folder / INSTALLED).write_text(json.dumps(made, indent=1), encoding="utf-8")


def _put(content: IO[bytes] | None, name: str, folder: Path) -> None:
    """A file as it is; `x.br` is the program x, `x.tar.br` a tree of files."""
    if content is None:
        raise MissingPackageError(f"{name} is no file")
    if not name.endswith(".br"):
        _write(iter(lambda: content.read(_CHUNK), b""), folder / name)
    elif name.endswith(".tar.br"):
        place = folder / _PLACES.get(name, ".")
        tree = io.BytesIO(b"".join(_decompressed(content)))
        with tarfile.open(fileobj=tree) as members:
            for member in members:
                if place.name == "lib":  # it lies in a folder of that name already
                    member.name = member.name.removeprefix("lib/")
                members.extract(member, place, filter="data")
    else:
        program = folder / name.removesuffix(".br")
        _write(_decompressed(content), program)
        program.chmod(0o755)


def _write(chunks: Iterator[bytes], file: Path) -> None:
    with file.open("wb") as out:
        out.writelines(chunks)


def _decompressed(content: IO[bytes]) -> Iterator[bytes]:
    brotli = _brotli()
    machine = brotli.Decompressor()
    try:
        while chunk := content.read(_CHUNK):
            yield machine.process(chunk)
    except brotli.error as error:
        raise MissingPackageError(f"the archive can't be decompressed: {error}") from error
    if not machine.is_finished():
        raise MissingPackageError("the archive can't be decompressed: it is cut off")


def _brotli() -> Any:
    try:
        import brotli
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            'unpacking the browser needs the package brotli: pip install "rpgen[web]"'
        ) from error
    return brotli
