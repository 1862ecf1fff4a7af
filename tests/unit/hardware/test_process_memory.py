"""A process's own memory and the files it has mapped, from captured /proc texts."""

import mmap
from pathlib import Path

import pytest

from rpgen.hardware import process_memory
from rpgen.hardware.process_memory import Mappings, parse_statm, read_process_memory

MAPS = """\
00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon
7f0000000000-7f0000200000 r--p 00000000 fe:00 26723                      /a folder/model.safetensors
7f0000300000-7f0000400000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
"""


def test_own_and_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_memory, "_PAGE_MB", 4096 / 2**20)
    found = parse_statm(b"100000 51200 25600 1 0 1 0\n")
    assert found is not None
    assert (found.own_mb, found.mapped_mb) == (100.0, 100.0)
    assert parse_statm(b"torn") is None


def test_where_files_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text(MAPS)
    mappings = Mappings.read(tmp_path)
    assert mappings.holds(0x400000)
    assert not mappings.holds(0x452000)
    assert mappings.holds(0x7F0000100000)
    assert not mappings.holds(0x7F0000300000)
    assert not mappings.holds(0x7FFC00000000)
    assert not Mappings.read(tmp_path / "nowhere").holds(0x400000)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_this_process(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(32 * 2**20))
    before = read_process_memory()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        touched = sum(mapped[at] for at in range(0, len(mapped), 4096))
        after = read_process_memory()
    assert touched == 0
    assert before is not None
    assert after is not None
    assert after.mapped_mb - before.mapped_mb > 28
    assert after.own_mb - before.own_mb < 8


def test_without_proc(tmp_path: Path) -> None:
    found = read_process_memory(tmp_path)
    assert found is not None
    assert found.own_mb > 0
    assert found.mapped_mb == 0
