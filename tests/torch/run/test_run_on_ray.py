"""Workers on two Ray nodes: files go where their model is, and a lost actor loses nothing."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rpgen.run import events
from rpgen.run.journal import read
from tests.system.run.conftest import Project
from tests.torch.run.test_run_with_models import source

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed"
)
FILES, MODELS = 30, 10


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    script = Path(__file__).with_name("ray_cluster.py")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


MEETING = """
    def test_slow(self):
        import os, pathlib, time
        taking_part = pathlib.Path({folder!r})
        (taking_part / str(os.getpid())).touch()
        while len(list(taking_part.iterdir())) < 2:  # the other node may be long in coming
            time.sleep(0.05)
        time.sleep(0.1)
"""


def actors() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes().startswith(b"ray::Place"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_thirty_files_on_two_nodes_with_an_actor_killed_in_the_middle(
    address: str, project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    (project.folder / "taking_part").mkdir()
    slow = MEETING.format(folder=str(project.folder / "taking_part"))
    for number in range(FILES):
        text = source(f"owner/model-{number % MODELS}", "bert", "embedding", more=slow)
        project.put(f"test_{number:02}.py", text)
    process = project.start(
        "run", ".", "--engine", "ray", "--address", address, "--junit-xml", "junit.xml"
    )

    def journal() -> list[events.Event]:
        return [
            e for path in project.folder.glob(".rpgen/runs/*/journal.jsonl") for e in read(path)
        ]

    def files_ended() -> int:
        return sum(isinstance(event, events.FileEnded) for event in journal())

    eventually(lambda: files_ended() >= 6 or process.poll() is not None)
    os.kill(actors()[0], signal.SIGKILL)
    ran = project.finish(process)
    assert ran.code == 0, ran.out + ran.err
    assert ran.report["summary"]["passed"] == 2 * FILES
    assert (project.folder / "junit.xml").exists()

    told = journal()
    ends = Counter(event.test for event in told if isinstance(event, events.TestEnded))
    assert (len(ends), set(ends.values())) == (2 * FILES, {1})
    assert sum(isinstance(event, events.WorkerLost) for event in told) == 1
    loads = Counter(
        (event.worker, event.key) for event in told if isinstance(event, events.ModelLoaded)
    )
    assert set(loads.values()) == {1}
    assert len({key for _, key in loads}) == MODELS
    started = [event for event in told if isinstance(event, events.WorkerStarted)]
    assert len(started) == 3  # two, and the one in the lost one's place
    assert len({worker for worker, _ in loads}) >= 2
    assert len(loads) <= MODELS + 6  # what the lost actor had, and what was shared at the end
    assert ran.processes() == []


def test_a_crash_on_another_node_is_what_it_is_here(address: str, project: Project) -> None:
    body = "import ctypes, os\ndef test_before():\n    pass\n"
    body += "def test_culprit():\n    print('last words')\n    ctypes.string_at(0)\n"
    body += "def test_after():\n    pass\n"
    project.write(a=body, b="def test_good():\n    pass\n", c="import time\ndef test_hangs():\n"
                  "    time.sleep(600)\n")  # fmt: skip
    ran = project.run(".", "--engine", "ray", "--address", address, "--timeout", "3")
    assert ran.code == 1
    assert ran.outcomes == {
        "test_before": "passed",
        "test_culprit": "crashed",
        "test_after": "passed",
        "test_good": "passed",
        "test_hangs": "timeout",
    }
    culprit = ran.tests["test_a.py::test_culprit"]
    assert "SIGSEGV" in culprit["message"]
    assert "in test_culprit" in culprit["details"]
    assert culprit["output"] == "last words"
    assert "in test_hangs" in ran.tests["test_c.py::test_hangs"]["details"]


def test_a_cluster_that_is_not_there(project: Project) -> None:
    project.write(a="def test_a():\n    pass\n")
    ran = project.run(".", "--engine", "ray", "--address", "127.0.0.1:1")
    assert ran.code == 9
    assert "can't be reached" in ran.err.splitlines()[-1]
    assert project.run(".", "--address", "127.0.0.1:1").code == 2
