"""What is put back after a file, in this process."""

import os
import sys
from pathlib import Path

import pytest

from rpgen.run.surroundings import ClassAttributes, Surroundings, forget_modules


def test_folder_environment_and_search_path_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RPGEN_TEST_A", "1")
    monkeypatch.setenv("RPGEN_TEST_B", "1")
    monkeypatch.delenv("RPGEN_TEST_C", raising=False)
    before = Surroundings.now()
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    os.environ["RPGEN_TEST_A"] = "2"
    del os.environ["RPGEN_TEST_B"]
    os.environ["RPGEN_TEST_C"] = "3"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ.get("TORCHINDUCTOR_CACHE_DIR", "x")
    sys.path.insert(0, "/nowhere")
    stdout = sys.stdout
    left = before.restore()
    sys.stdout = stdout  # pytest's own, which the restoring took away
    assert left[-4:] == (
        "working folder a folder that is gone",
        "environment variable RPGEN_TEST_A",
        "environment variable RPGEN_TEST_B",
        "environment variable RPGEN_TEST_C",
    )
    assert os.environ["RPGEN_TEST_A"] == os.environ["RPGEN_TEST_B"] == "1"
    assert "RPGEN_TEST_C" not in os.environ
    assert "/nowhere" not in sys.path
    assert Path.cwd() == tmp_path


def test_classes_are_as_before_their_tests() -> None:
    class Base:
        shared = 1

    class Test(Base):
        value = 1
        gone = 2

    attributes = ClassAttributes([Base, Test])
    Test.model = object()  # type: ignore[attr-defined]
    Test.value = 5
    Base.cache = {}  # type: ignore[attr-defined]
    del Test.gone
    attributes.restore()
    assert (Test.value, Test.gone) == (1, 2)
    assert not hasattr(Test, "model")
    assert not hasattr(Base, "cache")


def test_modules_of_a_file_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dropped_module.py"
    path.write_text("")
    (tmp_path / "kept_module.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(sys.modules)
    __import__("dropped_module")
    __import__("kept_module")
    forget_modules(str(path), before)
    assert "dropped_module" not in sys.modules
    assert sys.modules.pop("kept_module")
