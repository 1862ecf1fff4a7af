"""Why a worker is gone, in words."""

from pathlib import Path

import pytest

from rpgen.run.diagnosis import Remains, explain, oom_kills, overdue, readable_stacks

STACKS = """Fatal Python error: Segmentation fault

Thread 0x00007f00 [rpgen commands] (most recent call first):
  File "/p/rpgen/run/worker.py", line 80 in listen
  File "/usr/lib/python3.11/threading.py", line 975 in run

Current thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/me/test_x.py", line 3 in test_segv
  File "/p/site-packages/_pytest/python.py", line 1 in runtest
  File "/p/site-packages/pluggy/_callers.py", line 2 in _multicall
"""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (-11, "SIGSEGV, a segmentation fault"),
        (-6, "SIGABRT, an abort"),
        (-63, "signal 63"),
        (0, "exit code 0"),
        (3, "os._exit(3)"),
    ],
)
def test_the_cause_is_named(status: int, words: str) -> None:
    message, details = explain(Remains(status))
    assert words in message
    assert details is None


def test_a_kill_is_put_down_to_memory_only_with_evidence() -> None:
    assert "because memory ran out" in explain(Remains(-9, oom_kills=1))[0]
    assert "did not do it for memory" in explain(Remains(-9, oom_kills=0))[0]
    assert "as the kernel does" in explain(Remains(-9, oom_kills=None))[0]


def test_the_memory_at_the_end_is_told() -> None:
    assert "1234 MB" in explain(Remains(-9, memory_mb=1234.2))[0]


def test_stacks_keep_the_test_and_lose_the_machinery() -> None:
    text = readable_stacks(STACKS) or ""
    assert "test_segv" in text
    assert "string_at" in text
    assert "Fatal Python error" in text
    assert "pluggy" not in text
    assert "rpgen commands" not in text
    assert readable_stacks("") is None


def test_a_timeout_names_the_limit_and_what_took_so_long() -> None:
    message, _ = overdue(2.5, "importing the file", "")
    assert message == "importing the file took longer than 2.5 s, and the worker was killed"


def test_oom_kills_are_counted_by_the_kernel(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 1\noom_kill 7\n")
    assert oom_kills(vmstat) == 7
    vmstat.write_text("nr_free_pages 1\n")
    assert oom_kills(vmstat) is None
    assert oom_kills(tmp_path / "none") is None
