"""Which browser would be started, and what is said where one can't be."""

import importlib.util
import json
from pathlib import Path

import pytest

from rpgen.backends.web import program
from rpgen.backends.web.program import Missing, Program, find_program
from rpgen.hardware import browser_files
from rpgen.hardware.browser_files import CHROMIUM, INSTALLED, RUNTIME, PinnedPackage


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RPGEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(browser_files.platform, "system", lambda: "Linux")
    monkeypatch.setattr(browser_files.platform, "machine", lambda: "x86_64")
    return tmp_path / "web"


def put(cache: Path, *packages: PinnedPackage) -> None:
    for package in packages:
        place = cache / package.folder_name
        place.mkdir(parents=True)
        (place / "chromium").write_text("")
        made = {"integrity": package.integrity, "files": {"chromium": 0}}
        (place / INSTALLED).write_text(json.dumps(made))


def test_without_the_files_the_command_is_named(cache: Path) -> None:
    found = find_program()
    assert isinstance(found, Missing)
    assert "Chromium 153.0.0 and onnxruntime-web 1.30.0" in found.reason
    assert found.remedy == "rpgen detect --install-browser"
    put(cache, CHROMIUM)
    found = find_program()
    assert isinstance(found, Missing)
    assert "Chromium" not in found.reason


@pytest.mark.parametrize("lacking", ["playwright", "onnx"])
def test_without_a_package_the_extra_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    put(cache, CHROMIUM, RUNTIME)
    assert isinstance(find_program(), Program)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == lacking else real(name)
    )
    found = find_program()
    assert isinstance(found, Missing)
    assert found.reason.startswith(f"{lacking}, which ")
    assert found.remedy == 'pip install "rpgen[web]"'


def test_the_pinned_browser_comes_with_its_libraries(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cache, CHROMIUM, RUNTIME)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    found = find_program()
    assert isinstance(found, Program)
    assert found.path == cache / "chromium-153.0.0" / "chromium"
    assert found.env["LD_LIBRARY_PATH"] == f"{cache / 'chromium-153.0.0' / 'lib'}:/mine"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    found = find_program()
    assert isinstance(found, Program)
    assert found.env["LD_LIBRARY_PATH"] == str(cache / "chromium-153.0.0" / "lib")


def test_the_browser_that_is_named_is_taken_as_it_is(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    monkeypatch.setenv("RPGEN_BROWSER", str(mine))
    found = find_program()
    assert isinstance(found, Missing)
    assert str(mine) in found.reason
    mine.write_text("")
    mine.chmod(0o755)
    found = find_program()
    assert isinstance(found, Missing)
    assert found.remedy == "rpgen detect --install-browser"
    put(cache, RUNTIME)
    found = find_program()
    assert isinstance(found, Program)
    assert (found.path, dict(found.env)) == (mine, {})


def test_elsewhere_the_systems_browser_has_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_files.platform, "system", lambda: "Darwin")
    put(cache, RUNTIME)
    monkeypatch.setattr(program, "_of_the_system", lambda: None)
    found = find_program()
    assert isinstance(found, Missing)
    assert "RPGEN_BROWSER" in found.remedy
    monkeypatch.setattr(program, "_of_the_system", lambda: Path("/Applications/Chrome"))
    found = find_program()
    assert isinstance(found, Program)
    assert found.path == Path("/Applications/Chrome")


def test_where_a_browser_is_pinned() -> None:
    assert browser_files.needed("Linux", "x86_64") == (CHROMIUM, RUNTIME)
    assert browser_files.needed("Linux", "aarch64") == (RUNTIME,)
    assert browser_files.needed("Windows", "AMD64") == (RUNTIME,)
