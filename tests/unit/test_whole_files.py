"""A file is written whole or not at all."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rpgen.whole_files import write_whole


def test_it_is_written_with_its_folders_and_the_persons_rights(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    before = os.umask(0o027)
    try:
        write_whole(path, "one\n")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"one\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["a.txt"]


def test_what_can_not_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "one\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "x" * 100_000 + "\udc80")  # fails in the middle of writing
    assert path.read_text() == "one\n"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", "two")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.txt", "folder"]


def test_of_many_writers_one_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    texts = [str(number) * 50_000 for number in range(10)]
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda text: write_whole(path, text), texts))
    assert path.read_text() in texts
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
