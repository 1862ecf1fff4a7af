"""Several workers side by side: the same results, and nobody in anybody's way."""

import random
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from rpgen.run import events
from rpgen.run.journal import read
from tests.system.run.conftest import Project
from tests.system.run.test_run_chaos import agree, strays, write_round

NOTES = """
import os, pathlib, time

def test_notes():
    threads, devices = os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES")
    print(threads, devices)
    time.sleep(0.1)

def test_fails():
    assert 0, f"{os.environ['OMP_NUM_THREADS']} {os.environ.get('RPGEN_MEMORY_BUDGET')}"
"""


def test_files_are_shared_out(project: Project) -> None:
    project.write(**{f"n{number:02}": NOTES for number in range(8)})
    environment = {"OMP_NUM_THREADS": "3"}
    ran = project.run(".", "--workers", "2", "--memory-budget", "1000", **environment)
    assert ran.code == 1
    assert Counter(test["outcome"] for test in ran.tests.values()) == {"passed": 8, "failed": 8}
    assert "3 500" in ran.tests["test_n00.py::test_fails"]["message"]
    journal = list(read(ran.state / "journal.jsonl"))
    shares = Counter(event.worker for event in journal if isinstance(event, events.FileStarted))
    assert set(shares) == {1, 2}
    assert sum(shares.values()) == 8
    assert strays(ran.state.name) == []
    logs = {log.name: log.stat().st_size for log in ran.state.glob("*.log")}
    assert set(logs) == {"worker.log", "worker-slot-1.log"}
    assert all(logs.values())


@pytest.mark.parametrize("seed", range(3))
def test_random_faults_with_several_workers(seed: int, project: Project) -> None:
    expected = write_round(project, random.Random(1000 + seed))
    ran = project.run(".", "--timeout", "4", "--workers", "3")
    assert ran.code in (0, 1), ran.err
    assert set(ran.files) == set(expected)
    for path, outcomes in expected.items():
        tests = [t for t in ran.files[path]["tests"] if "::" in t["id"] or len(outcomes) == 1]
        assert agree([test["outcome"] for test in tests], outcomes), (path, ran.files[path])
    assert strays(ran.state.name) == []


SLOW = """
import pathlib, time

def test_first():
    pathlib.Path(__file__ + ".mark").touch()
    while len(list(pathlib.Path.cwd().glob("*.mark"))) < 2:  # until the other one is at it, too
        time.sleep(0.01)
    time.sleep(1)

def test_second():
    pass
"""


def test_ctrl_c_ends_all_workers_after_their_running_tests(
    project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    project.write(a=SLOW, b=SLOW, c=SLOW)
    process = project.start("run", ".", "--workers", "2")
    eventually(lambda: len(list(project.folder.glob("*.mark"))) == 2)
    process.send_signal(signal.SIGINT)
    ran = project.finish(process)
    assert ran.code == 130
    assert Counter(test["outcome"] for test in ran.tests.values()) == {"passed": 2}
    assert ran.report["not_run"] == ["test_c.py"]
    resumed = project.run("--resume")
    assert resumed.code == 0
    assert Counter(test["outcome"] for test in resumed.tests.values()) == {"passed": 6}


def test_a_limit_on_failures_stops_all_workers(project: Project) -> None:
    project.write(**{f"n{number:02}": "def test_bad():\n    assert 0\n" for number in range(30)})
    ran = project.run(".", "--workers", "2", "--maxfail", "3")
    assert ran.code == 1
    assert 3 <= ran.report["summary"]["failed"] <= 8  # what the others were at may end
    assert len(ran.report["not_run"]) >= 20


@pytest.mark.parametrize("number", ["0", "many", "-1"])
def test_numbers_of_workers_that_are_none(number: str, project: Project) -> None:
    project.write(a=SLOW)
    ran = project.run(".", "--workers", number)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
