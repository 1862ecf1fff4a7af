"""Random faults, and a supervisor that is killed at random moments: nothing is lost.

The seeds are fixed. RPGEN_CHAOS is how many times as long it goes on as in CI; at 13 it is
more than 100 rounds of faults and 50 kills.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from rpgen.run import events
from rpgen.run.journal import read
from tests.system.run.conftest import Project, environments

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SCALE = int(os.environ.get("RPGEN_CHAOS", "1"))
IMPORTS = "import ctypes, os, signal, subprocess, sys, threading, time\n"

FAULTS = {
    "pass": "passed",
    "assert 0": "failed",
    "sys.exit(0)": "failed",
    "raise KeyboardInterrupt": "failed",
    "ctypes.string_at(0)": "crashed",
    "os.abort()": "crashed",
    "os._exit(0)": "crashed",
    "os.kill(os.getpid(), signal.SIGKILL)": "crashed",
    "os.killpg(0, signal.SIGKILL)": "crashed",
    "subprocess.Popen(['setsid', 'sleep', '4711']); os._exit(1)": "crashed",
    "sys.setrecursionlimit(10**9); f = lambda: f(); f()": "?",
    "os.closerange(3, 500)": "crashed",
    "os.kill(os.getpid(), signal.SIGSTOP)": "timeout",
    "ctypes.PyDLL(None).sleep(600)": "timeout",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(600)": "timeout",
    "subprocess.Popen(['setsid', 'sleep', '4712'])": "passed",
    "subprocess.Popen(['sleep', '4713']); os.fork() or time.sleep(600)": "passed",
    "threading.Thread(target=time.sleep, args=(600,)).start()": "passed",
    "os.chdir('/'); os.environ.clear(); sys.path.clear()": "passed",
    "os.write(1, b'x' * 2**22); os.close(1); os.close(2)": "passed",
}
MILD = ["pass", "assert 0"]
IMPORT_FAULTS = {
    "": None,
    "import no_such_module": "error",
    "def (": "error",
    "import os; os._exit(2)": "crashed",
    "raise SystemExit(1)": "error",
}
DOWN = ("crashed", "timeout")


def write_round(project: Project, chance: random.Random) -> dict[str, list[str]]:
    """Files with faults; the outcomes that each must have, in the order of its tests."""
    expected = {}
    for number in range(4):
        top = chance.choices([*IMPORT_FAULTS], [12, 1, 1, 1, 1])[0]
        strong = chance.sample([*FAULTS], 2) if chance.random() < 0.6 else []
        lines = chance.sample([*strong, "pass", *chance.choices(MILD, k=2)], k=len(strong) + 3)
        body = IMPORTS + top + "\n"
        body += "".join(f"def test_{n}():\n    {line}\n" for n, line in enumerate(lines))
        project.put(f"test_{number}.py", body)
        whole = IMPORT_FAULTS[top]
        expected[f"test_{number}.py"] = [whole] if whole else [FAULTS[line] for line in lines]
    return expected


def agree(found: list[str], expected: list[str]) -> bool:
    """Outcomes as they must be: after two that took the worker down, errors; or what comes of
    the tests that the second one still came to, woken up when it was asked for its stacks."""
    downs = 0
    for outcome, wanted in zip(found, expected, strict=True):
        quarantined = downs == 2 and outcome == "error"
        if wanted not in ("?", outcome) and not quarantined:
            return False
        downs += outcome in DOWN
    return downs <= 2


def strays(run: str) -> list[str]:
    """Processes of a run that are still there, by its mark or by what only its tests start."""
    found = []
    for pid, environment in environments():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"RPGEN_WORKER={run}:".encode() in environment or f"keeper.py {run}" in command:
            found.append(f"{pid} {command}")
    return found


@pytest.mark.parametrize("seed", range(8 * SCALE))
def test_random_faults_lose_no_result_and_leave_no_process(seed: int, project: Project) -> None:
    expected = write_round(project, random.Random(seed))
    ran = project.run(".", "--timeout", "3")
    assert ran.code in (0, 1), ran.err
    assert set(ran.files) == set(expected)
    for path, outcomes in expected.items():
        file = ran.files[path]
        tests = [test for test in file["tests"] if "::" in test["id"] or len(outcomes) == 1]
        assert agree([test["outcome"] for test in tests], outcomes), (path, file)
    assert strays(ran.state.name) == []


SLOW = "import subprocess, time\n" + "".join(
    f"def test_{n}():\n    time.sleep(0.02)\n" for n in range(5)
)
LEAVES = SLOW + "def test_leaves():\n    subprocess.Popen(['setsid', 'sleep', '4714'])\n"
CRASHES = SLOW + "def test_crashes():\n    import os\n    os._exit(1)\n"


@pytest.mark.parametrize("seed", range(4 * SCALE))
def test_a_supervisor_killed_at_any_moment_loses_nothing(
    seed: int, project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    project.write(a=SLOW, b=LEAVES, c=CRASHES, d=LEAVES, e=SLOW)
    process = project.start("run", ".")
    time.sleep(random.Random(seed).uniform(0.1, 3.0))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    runs = sorted((project.folder / ".rpgen" / "runs").glob("*"))
    begun = [run for run in runs if (run / "journal.jsonl").exists()]
    eventually(lambda: all(strays(run.name) == [] for run in begun))
    before = Counter(finished(begun[0])) if begun else Counter()
    ran = project.run("--resume")
    if not begun or "nothing to go on with" in ran.err:  # it had not asked for anything yet
        ran = project.run(".")
    assert ran.code == 1, ran.err
    assert len(ran.tests) == sum(len(file["tests"]) for file in ran.report["files"]) == 28
    outcomes = Counter(test["outcome"] for test in ran.tests.values())
    assert outcomes == {"passed": 27, "crashed": 1}
    after = Counter(finished(ran.state))
    assert set(after.values()) == {1}
    if ran.state in begun:
        assert before <= after
    assert strays(ran.state.name) == []


def finished(state: Path) -> list[str]:
    """The tests that have ended, as often as the journal says so."""
    return [
        event.test or event.path or ""
        for event in read(state / "journal.jsonl")
        if isinstance(event, events.TestEnded | events.WorkerDown)
    ]


def test_a_run_that_goes_on_cannot_be_resumed(
    project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    project.write(a="import time, pathlib\ndef test_a():\n    pathlib.Path('mark').touch()\n"
                  "    time.sleep(2)\n")  # fmt: skip
    process = project.start("run", ".")
    eventually((project.folder / "mark").exists)
    second = project.run("--resume")
    assert (second.code, "still going on" in second.err) == (2, True)
    assert project.finish(process).code == 0
    again = project.run("--resume", "--json", "-")  # it is complete
    assert again.code == 0
    assert json.loads(again.out)["summary"]["passed"] == 1


def test_an_interrupted_run_is_resumed_with_its_options(
    project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    body = "import time, pathlib\ndef test_1():\n    pathlib.Path('mark').touch()\n"
    body += "    time.sleep(1)\ndef test_2():\n    pass\ndef test_not():\n    assert 0\n"
    project.write(a=body, b="def test_b():\n    pass\ndef test_not():\n    assert 0\n")
    process = project.start("run", ".", "-k", "not test_not")
    eventually((project.folder / "mark").exists)
    process.send_signal(signal.SIGINT)
    assert project.finish(process).code == 130
    ran = project.run("--resume")
    assert ran.code == 0
    assert ran.outcomes == {"test_1": "passed", "test_2": "passed", "test_b": "passed"}


@pytest.mark.parametrize("arguments", [("--resume", "-x"), ("--resume", "."), ()])
def test_what_cannot_be_resumed(arguments: tuple[str, ...], project: Project) -> None:
    project.write(a=SLOW)
    ran = project.run(*arguments)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
