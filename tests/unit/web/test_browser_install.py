"""The installation against a registry on loopback: torn, wrong, twice at once, without network."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpgen.backends.web.download import integrity
from rpgen.backends.web.install import install
from rpgen.backends.web.npm_registry import NpmSettings
from rpgen.errors import MissingPackageError, OutputError
from rpgen.hardware.browser_files import CHROMIUM, INSTALLED, RUNTIME, PinnedPackage, installed
from tests.unit.web.registry import BROWSER, BROWSER_FILES, Registry, archive_of, pinned, serving

FILES = tuple(name for name in BROWSER_FILES if name.startswith("bin/"))
PACKAGE = pinned(BROWSER, *FILES)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry(BROWSER)) as found:
        yield found


def settings(registry: Registry) -> NpmSettings:
    return NpmSettings({"registry": registry.address})


def test_it_is_fetched_checked_and_unpacked(registry: Registry, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = install(
        [PACKAGE],
        folder=tmp_path,
        settings=settings(registry),
        progress=lambda *each: told.append(each),
    )
    place = found[PACKAGE]
    assert place == tmp_path / "thing-1.2.3" == installed(PACKAGE, tmp_path)
    assert registry.asked == [("/npm/@scope/thing/-/thing-1.2.3.tgz", None)]
    assert (place / "chromium").read_bytes().startswith(b"#!/bin/sh")
    assert os.access(place / "chromium", os.X_OK)
    assert (place / "lib" / "libnss3.so").read_bytes() == b"nss"
    assert (place / "libEGL.so").exists()
    assert (place / "fonts" / "a.ttf").exists()
    assert not (place / "README.md").exists()
    assert ("@scope/thing 1.2.3", len(BROWSER), len(BROWSER)) in told
    assert list((tmp_path / "downloads").iterdir()) == []


def test_what_is_there_is_not_fetched_again(registry: Registry, tmp_path: Path) -> None:
    for _ in range(2):
        install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert len(registry.asked) == 1


def test_a_torn_download_goes_on_where_it_was_torn(registry: Registry, tmp_path: Path) -> None:
    registry.torn_after = [300, 200]
    install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert [wanted for _, wanted in registry.asked] == [None, "bytes=300-", "bytes=500-"]
    assert installed(PACKAGE, tmp_path)


def test_a_registry_without_ranges_sends_all_of_it_again(
    registry: Registry, tmp_path: Path
) -> None:
    registry.torn_after, registry.ranges = [300], False
    install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert installed(PACKAGE, tmp_path)


def test_what_is_torn_again_and_again_is_said_and_kept(registry: Registry, tmp_path: Path) -> None:
    registry.torn_after = [10] * 9
    with pytest.raises(MissingPackageError, match="ended before its end") as caught:
        install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert "scope-thing-1.2.3.tgz" in str(caught.value)
    assert (tmp_path / "downloads" / "scope-thing-1.2.3.tgz.part").stat().st_size == 40
    registry.torn_after = []
    install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert registry.asked[-1][1] == "bytes=40-"


def test_other_content_is_thrown_away(registry: Registry, tmp_path: Path) -> None:
    registry.content = BROWSER[:-1] + b"?"
    with pytest.raises(MissingPackageError, match="not the pinned @scope/thing"):
        install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert list((tmp_path / "downloads").iterdir()) == []
    assert installed(PACKAGE, tmp_path) is None


def test_a_longer_answer_is_not_read_to_its_end(registry: Registry, tmp_path: Path) -> None:
    registry.content = BROWSER + b"x" * 3_000_000
    with pytest.raises(MissingPackageError, match="not the pinned"):
        install([PACKAGE], folder=tmp_path, settings=settings(registry))


@pytest.mark.parametrize(("status", "said"), [(404, "404 Not Found"), (401, "wants a login")])
def test_a_registry_that_refuses_is_quoted(
    registry: Registry, tmp_path: Path, status: int, said: str
) -> None:
    registry.status = status
    with pytest.raises(MissingPackageError, match=said):
        install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert len(registry.asked) == 1


def test_without_a_network_there_is_one_clear_sentence(tmp_path: Path) -> None:
    nowhere = NpmSettings({"registry": "http://127.0.0.1:9/"})
    with pytest.raises(MissingPackageError) as caught:
        install([PACKAGE], folder=tmp_path, settings=nowhere)
    message = str(caught.value)
    assert "\n" not in message
    assert "http://127.0.0.1:9/@scope/thing/-/thing-1.2.3.tgz" in message
    assert str(tmp_path / "downloads") in message


def test_an_archive_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "scope-thing-1.2.3.tgz").write_bytes(BROWSER)
    nowhere = NpmSettings({"registry": "http://127.0.0.1:9/"})
    assert install([PACKAGE], folder=tmp_path, settings=nowhere)


def test_what_lost_a_file_is_installed_again(registry: Registry, tmp_path: Path) -> None:
    place = install([PACKAGE], folder=tmp_path, settings=settings(registry))[PACKAGE]
    (place / "lib" / "libnss3.so").unlink()
    assert installed(PACKAGE, tmp_path) is None
    install([PACKAGE], folder=tmp_path, settings=settings(registry))
    assert (place / "lib" / "libnss3.so").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".install.lock",
        "downloads",
        "thing-1.2.3",
    ]


def test_two_at_once_fetch_it_once(registry: Registry, tmp_path: Path) -> None:
    found: list[dict[PinnedPackage, Path]] = []

    def one() -> None:
        found.append(install([PACKAGE], folder=tmp_path, settings=settings(registry)))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(registry.asked) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"bin/other": b"x"}, "has no package/bin/chromium.br"),
        ({"bin/chromium.br": b"\x8bnot brotli at all"}, "can't be decompressed"),
        ({"bin/chromium.br": BROWSER_FILES["bin/chromium.br"][:50]}, "it is cut off"),
    ],
)
def test_an_archive_that_is_not_what_it_should_be(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    content = archive_of(files)
    package = pinned(content, "bin/chromium.br")
    with serving(Registry(content)) as registry, pytest.raises(MissingPackageError, match=said):
        install([package], folder=tmp_path, settings=settings(registry))
    assert installed(package, tmp_path) is None
    assert not list(tmp_path.glob("unpacking-*"))


def test_a_folder_that_can_not_be_written(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be kept in"):
        install([PACKAGE], folder=tmp_path / "file", settings=settings(registry))


def test_a_foreign_list_of_files_is_no_installation(tmp_path: Path) -> None:
    place = tmp_path / PACKAGE.folder_name
    place.mkdir()
    for text in ("", "[]", "{}", json.dumps({"integrity": PACKAGE.integrity, "files": {}})):
        (place / INSTALLED).write_text(text)
        assert installed(PACKAGE, tmp_path) is None


def test_the_pins_are_whole() -> None:
    for package in (CHROMIUM, RUNTIME):
        assert len(package.integrity) == 88
        assert package.size > 1_000_000
    assert CHROMIUM.address == "@sparticuz/chromium/-/chromium-153.0.0.tgz"
    assert CHROMIUM.archive_name == "sparticuz-chromium-153.0.0.tgz"


def test_integrity_is_npms(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert integrity(file) == (
        "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
    )
