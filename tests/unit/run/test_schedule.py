"""Which files a run has."""

from pathlib import Path

import pytest

from rpgen.errors import NothingRanError, UsageError
from rpgen.run.schedule import find_targets


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def names(folder: Path, *paths: str) -> list[str]:
    return [target.name for target in find_targets(paths, folder)]


def test_a_folder_gives_its_test_files_sorted_and_only_these(tmp_path: Path) -> None:
    make(tmp_path, "s/test_b.py", "s/test_a.py", "s/deep/test_c.py", "s/helper.py", "s/test_x.txt")
    make(tmp_path, "s/.hidden/test_h.py", "s/__pycache__/test_p.py", "s/node_modules/test_n.py")
    make(tmp_path, "s/env/pyvenv.cfg", "s/env/lib/test_e.py")
    assert names(tmp_path, "s") == ["s/test_a.py", "s/test_b.py", "s/deep/test_c.py"]


def test_the_order_given_is_kept_and_each_file_comes_once(tmp_path: Path) -> None:
    make(tmp_path, "test_b.py", "test_a.py")
    assert names(tmp_path, "test_b.py", ".", "./test_b.py") == ["test_b.py", "test_a.py"]


def test_any_python_file_can_be_named(tmp_path: Path) -> None:
    make(tmp_path, "check.py", "-x.py", "sp ace/ü.py")
    assert names(tmp_path, "check.py", "-x.py", "sp ace/ü.py") == [
        "check.py",
        "-x.py",
        "sp ace/ü.py",
    ]


def test_a_file_elsewhere_keeps_its_whole_path(tmp_path: Path) -> None:
    make(tmp_path, "other/test_a.py", "here/x")
    assert names(tmp_path / "here", "../other/test_a.py") == [f"{tmp_path}/other/test_a.py"]


def test_single_tests_of_a_file_are_collected_and_the_whole_file_wins(tmp_path: Path) -> None:
    make(tmp_path, "test_a.py")
    (target,) = find_targets(["test_a.py::C::t", "test_a.py::u", "test_a.py::u"], tmp_path)
    assert target.tests == ("C::t", "u")
    for order in (["test_a.py::C::t", "test_a.py"], ["test_a.py", "test_a.py::C::t"]):
        (target,) = find_targets(order, tmp_path)
        assert target.tests == ()


def test_a_file_whose_name_has_colons_is_still_a_file(tmp_path: Path) -> None:
    make(tmp_path, "a::b/test_c.py")
    assert names(tmp_path, "a::b/test_c.py") == ["a::b/test_c.py"]


@pytest.mark.parametrize("text", ["", "  ", "no.py", "no/", "no.py::t", "x.txt", "s::t", "a\0b"])
def test_what_is_no_test_file_is_a_usage_error(text: str, tmp_path: Path) -> None:
    make(tmp_path, "x.txt", "s/test_a.py")
    with pytest.raises(UsageError):
        find_targets([text], tmp_path)


def test_a_folder_without_tests_is_nothing_to_run(tmp_path: Path) -> None:
    with pytest.raises(NothingRanError, match="rpgen generate"):
        find_targets(["."], tmp_path)
