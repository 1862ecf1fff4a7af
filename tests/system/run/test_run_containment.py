"""Whatever a test file does, its own result is the only thing that it can cost."""

import json
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rpgen.run.journal import read
from tests.system.run.conftest import Project

GOOD = "def test_good():\n    pass\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def around(line: str, imports: str = "import ctypes, os, signal, sys, time") -> str:
    """A test that does `line`, between one before and one after it."""
    return (
        f"{imports}\ndef test_before():\n    pass\n"
        f"def test_culprit():\n    print('last words')\n    {line}\n"
        "def test_after():\n    pass\n"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os.abort()", "SIGABRT"),
        ("os._exit(0)", "exit code 0"),
        ("os._exit(6)", "exit code 6"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_worker_that_goes_down_costs_one_test(line: str, said: str, project: Project) -> None:
    project.write(a=around(line), b=GOOD)
    ran = project.run(".")
    assert ran.code == 1
    assert ran.outcomes == {
        "test_before": "passed",
        "test_culprit": "crashed",
        "test_after": "passed",
        "test_good": "passed",
    }
    culprit = ran.tests["test_a.py::test_culprit"]
    assert said in culprit["message"]
    assert culprit["output"] == "last words"
    assert ran.files["test_a.py"]["outcome"] == "crashed"
    if said in ("SIGSEGV", "SIGABRT"):
        assert "in test_culprit" in culprit["details"]


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(600)",
        "signal.signal(signal.SIGINT, signal.SIG_IGN); ctypes.CDLL(None).sleep(600)",
        "ctypes.PyDLL(None).sleep(600)",  # holds the interpreter's lock
    ],
)
def test_a_hang_costs_one_test_after_its_time(line: str, project: Project) -> None:
    project.write(a=around(line), b=GOOD)
    ran = project.run(".", "--timeout", "6")
    assert ran.code == 1
    assert ran.outcomes["test_culprit"] == "timeout"
    assert {ran.outcomes[name] for name in ("test_before", "test_after", "test_good")} == {"passed"}
    culprit = ran.tests["test_a.py::test_culprit"]
    assert "longer than 6 s" in culprit["message"]
    assert "in test_culprit" in culprit["details"]


def test_the_time_of_a_test_includes_its_set_up_and_of_a_file_its_import(project: Project) -> None:
    setup = "import time, unittest\nclass T(unittest.TestCase):\n    @classmethod\n"
    setup += (
        "    def setUpClass(cls):\n        time.sleep(600)\n    def test_x(self):\n        pass\n"
    )
    project.write(a=setup, b="import time\ntime.sleep(600)\n", c=GOOD)
    ran = project.run(".", "--timeout", "6")
    assert ran.outcomes == {"test_x": "timeout", "test_b.py": "timeout", "test_good": "passed"}
    assert "importing the file" in ran.tests["test_b.py"]["message"]


def test_files_that_cannot_be_imported(project: Project) -> None:
    project.write(
        a="def test_x(:\n",
        b="import no_such_module\n",
        c="raise SystemExit(0)\n",
        d="import os\nos._exit(5)\n",
        e="import pytest\npytest.exit('no')\n",
        f="import sys\nsys.setrecursionlimit(10**6)\ndef f():\n    f()\nf()\n",
        g=GOOD,
    )
    project.put("test_h.py", "").write_bytes(b"x = '\xff'\n")
    ran = project.run(".")
    assert ran.code == 1
    outcomes = {path: file["outcome"] for path, file in ran.files.items()}
    assert outcomes["test_f.py"] in ("crashed", "error")  # whether the stack of C overflows
    del outcomes["test_f.py"]
    assert outcomes == {
        "test_a.py": "error",
        "test_b.py": "error",
        "test_c.py": "error",
        "test_d.py": "crashed",
        "test_e.py": "error",
        "test_g.py": "passed",
        "test_h.py": "error",
    }
    assert "no_such_module" in ran.tests["test_b.py"]["message"]
    assert ran.report["summary"]["errors"] >= 5


def test_a_file_that_takes_the_worker_down_twice_is_quarantined(project: Project) -> None:
    body = "import os\n" + "".join(f"def test_{n}():\n    os._exit({n})\n" for n in (1, 2, 3, 4))
    project.write(a=body, b=GOOD)
    ran = project.run(".")
    assert ran.outcomes == {
        "test_1": "crashed",
        "test_2": "crashed",
        "test_3": "error",
        "test_4": "error",
        "test_good": "passed",
    }
    assert ran.files["test_a.py"]["quarantined"]
    assert "2 times" in ran.tests["test_a.py::test_3"]["message"]


def test_a_crash_in_the_clean_up_is_put_down_to_the_file(project: Project) -> None:
    body = "import os, unittest\nclass T(unittest.TestCase):\n    @classmethod\n"
    body += (
        "    def tearDownClass(cls):\n        os._exit(1)\n    def test_x(self):\n        pass\n"
    )
    project.write(a=body, b=GOOD)
    ran = project.run(".")
    assert ran.files["test_a.py"]["outcome"] == "crashed"
    assert ran.files["test_b.py"]["outcome"] == "passed"


def test_a_broken_conftest_costs_its_folder(project: Project) -> None:
    project.write(bad__conftest="raise RuntimeError('broken')\n", bad__a=GOOD, good__b=GOOD)
    ran = project.run("bad", "good")
    assert {path: file["outcome"] for path, file in ran.files.items()} == {
        "bad/test_a.py": "error",
        "good/test_b.py": "passed",
    }
    assert "broken" in ran.tests["bad/test_a.py"]["message"]
    assert project.run("good").code == 0


def test_a_broken_accelerator_costs_one_test_and_a_fresh_worker(project: Project) -> None:
    """A stand-in for torch, whose device goes down in a test and stays so in that process."""
    torch = (
        "import sys, types\ntorch = sys.modules.setdefault('torch', types.ModuleType('torch'))\n"
        "class cuda:\n    down = getattr(getattr(torch, 'cuda', None), 'down', False)\n"
        "    is_initialized = staticmethod(lambda: True)\n"
        "    device_count = staticmethod(lambda: 0)\n"
        "    @classmethod\n    def synchronize(cls):\n"
        "        if torch.cuda.down:\n            raise RuntimeError('CUDA error: an assert')\n"
        "torch.cuda = cuda\n"
    )
    body = "def test_works():\n    torch.cuda.synchronize()\n"
    culprit = "def test_asserts():\n    torch.cuda.down = True\n    torch.cuda.synchronize()\n"
    project.put("test_a.py", torch + body + culprit + body.replace("works", "after"))
    project.put("test_b.py", torch + body.replace("works", "other"))
    ran = project.run(".")
    assert ran.outcomes == {
        "test_works": "passed",
        "test_asserts": "failed",
        "test_after": "passed",
        "test_other": "passed",
    }
    assert "worker  replaced after test_a.py" in ran.out


@linux
def test_what_a_file_leaves_behind_is_ended_put_back_and_named(project: Project) -> None:
    project.write(
        a="import os, signal, subprocess, sys, threading, time\n"
        "def test_leaves():\n"
        "    os.chdir('/')\n"
        "    os.environ['LEFT'] = '1'\n"
        "    del os.environ['PATH']\n"
        "    sys.path.insert(0, '/left')\n"
        "    signal.signal(signal.SIGALRM, lambda *a: os._exit(9))\n"
        "    signal.setitimer(signal.ITIMER_REAL, 60)\n"
        "    subprocess.Popen(['/bin/sleep', '600'])\n"
        "    subprocess.Popen(['/bin/sh', '-c', 'setsid /bin/sleep 601 &'])\n"
        "    threading.Thread(target=time.sleep, args=(600,), name='sleeper').start()\n"
        "    while '/bin/sleep 601' not in os.popen('ps -eo args').read():\n        pass\n",
        b="import os, sys, time\n"
        "def test_clean():\n    import signal\n"
        "    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)\n"
        f"    assert os.getcwd() == {str(project.folder)!r}\n"
        "    assert 'LEFT' not in os.environ and 'PATH' in os.environ\n"
        "    assert '/left' not in sys.path\n",
    )
    ran = project.run(".")
    assert ran.code == 0, ran.out
    left = "; ".join(ran.files["test_a.py"]["left_behind"])
    for said in ("sleep 600", "sleep 601", "thread sleeper", "working folder /", "variable LEFT"):
        assert said in left
    assert ran.files["test_b.py"]["left_behind"] == []
    assert ran.processes() == []


def test_modules_that_a_file_takes_away_are_put_back(project: Project) -> None:
    spoils = (
        "import sys, types\ndef test_spoils():\n    sys.modules['json'] = types.ModuleType('x')\n"
    )
    spoils += "    del sys.modules['subprocess']\ndef test_clears():\n    sys.modules.clear()\n"
    project.write(a=spoils, b="import json, subprocess\ndef test_good():\n    json.dumps(1)\n")
    ran = project.run(".")
    assert ran.files["test_b.py"]["outcome"] == "passed"
    assert "taken away" in " ".join(ran.files["test_a.py"]["left_behind"])


@linux
def test_children_of_a_crashed_worker_are_ended(project: Project) -> None:
    line = "import subprocess; subprocess.Popen(['setsid', 'sleep', '600']); os._exit(1)"
    project.write(a=around(line))
    assert project.run(".").processes() == []


def test_a_file_that_is_deleted_during_the_run(project: Project) -> None:
    project.write(a="import os\ndef test_a():\n    os.remove('test_b.py')\n", b=GOOD, c=GOOD)
    ran = project.run(".")
    assert [ran.files[f"test_{name}.py"]["outcome"] for name in "abc"] == [
        "passed",
        "error",
        "passed",
    ]
    assert "not found" in ran.tests["test_b.py"]["message"]


def test_a_flood_of_output_is_bounded(project: Project) -> None:
    line = "[os.write(1, b'x' * 2**20) for _ in range(300)]; assert 0"
    project.write(a=around(line), b=GOOD)
    ran = project.run(".")
    assert ran.outcomes["test_culprit"] == "failed"
    assert len(ran.tests["test_a.py::test_culprit"]["output"]) < 10_000
    assert (ran.state / "worker.log").stat().st_size <= 2**20
    assert (ran.state / "journal.jsonl").stat().st_size < 100_000


def test_classes_and_tracebacks_keep_nothing_alive(project: Project) -> None:
    project.write(
        a="import unittest, weakref, builtins\nclass Big:\n    pass\n"
        "class T(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n"
        "        cls.model = Big()\n        builtins.big = [weakref.ref(cls.model)]\n"
        "    def test_fails(self):\n        local = Big()\n"
        "        import builtins\n        builtins.big.append(weakref.ref(local))\n"
        "        self.fail()\n",
        b="import builtins, gc\ndef test_gone():\n    gc.collect()\n"
        "    assert [ref() for ref in builtins.big] == [None, None]\n",
    )
    assert project.run(".").outcomes == {"test_fails": "failed", "test_gone": "passed"}


def test_ctrl_c_once_ends_after_the_running_test(
    project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    project.write(
        a="import time, pathlib, os\ndef test_runs():\n    pathlib.Path('mark').touch()\n"
        "    time.sleep(1)\ndef test_not_begun():\n    pass\n"
        "def teardown_module():\n    pathlib.Path('torn').touch()\n",
        b=GOOD,
    )
    process = project.start("run", ".")
    eventually((project.folder / "mark").exists)
    process.send_signal(signal.SIGINT)
    ran = project.finish(process)
    assert ran.code == 130
    assert ran.outcomes == {"test_runs": "passed"}
    assert ran.report["not_run"] == ["test_b.py"]
    assert "Ctrl-C again" in ran.out
    assert ran.files["test_a.py"]["message"] == "1 of its 2 tests were not run"
    assert (project.folder / "torn").exists()


def test_ctrl_c_twice_ends_now_with_a_report(
    project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    project.write(
        a="import time, pathlib\ndef test_hangs():\n    pathlib.Path('mark').touch()\n"
        "    time.sleep(600)\n",
        b=GOOD,
    )
    process = project.start("run", ".")
    eventually((project.folder / "mark").exists)
    process.send_signal(signal.SIGINT)
    eventually(lambda: process.poll() is not None or process.send_signal(signal.SIGINT))
    ran = project.finish(process)
    assert ran.code == 130
    assert ran.outcomes == {"test_hangs": "error"}
    assert "Ctrl-C" in ran.tests["test_a.py::test_hangs"]["message"]


@linux
def test_no_worker_survives_its_supervisor(
    project: Project, eventually: Callable[[Callable[[], object]], None]
) -> None:
    hang = "import ctypes, pathlib\ndef test_hangs():\n    pathlib.Path('mark').touch()\n"
    project.write(a=GOOD, b=hang + "    ctypes.PyDLL(None).sleep(600)\n")
    process = project.start("run", ".")
    eventually((project.folder / "mark").exists)
    process.kill()
    ran = project.finish(process)
    eventually(lambda: ran.processes() == [])
    kinds = [event.kind for event in read(ran.state / "journal.jsonl")]
    assert kinds.count("file_ended") == 1
    assert "did not end" in project.stats("--history", "1").out


def test_a_full_disk_is_one_clear_sentence(project: Project) -> None:
    """A limit on the size of files stands in for the disk: writing fails in the same way."""
    project.write(**{f"f{number:03}": GOOD for number in range(60)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
    try:
        process = project.start("run", ".")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    ran = project.finish(process)
    assert ran.code == 6
    assert len(ran.err.splitlines()) == 1
    assert "make room" in ran.err
    assert "Traceback" not in ran.out + ran.err


def test_an_unwritable_state_folder(project: Project) -> None:
    project.write(a=GOOD)
    (project.folder / ".rpgen").write_text("in the way")
    ran = project.run(".")
    assert ran.code == 0
    assert "can't be written" in ran.err
    named = project.run(".", RPGEN_STATE_DIR=str(project.folder / ".rpgen"))
    assert (named.code, len(named.err.splitlines())) == (6, 1)


def test_every_result_is_in_the_journal_exactly_once(project: Project) -> None:
    project.write(a=around("os._exit(1)"), b=GOOD, c=around("ctypes.string_at(0)"))
    ran = project.run(".")
    lines = (ran.state / "journal.jsonl").read_text().splitlines()
    ends = [json.loads(line) for line in lines if "test_ended" in line]
    names = [event["test"] for event in ends]
    assert len(names) == len(set(names)) == 5
    assert Path(ran.state / "journal.jsonl").is_file()
