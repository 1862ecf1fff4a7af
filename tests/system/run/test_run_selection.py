"""What is run of the files that were named, in which order, and how often."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from rpgen.run import events
from rpgen.run.journal import read
from tests.system.run.conftest import Project, Ran

GOOD = "def test_good():\n    pass\n"


def begun(ran: Ran) -> list[str]:
    journal = read(ran.state / "journal.jsonl")
    return [event.path for event in journal if isinstance(event, events.FileStarted)]


def planned(project: Project, order: str) -> list[str]:
    """The order that a run would have, without its worker."""
    plan = json.loads(project.run(".", "--order", order, "--plan", "--json", "-").out)
    return [step["path"] for step in plan["steps"]]


def named(name: str) -> str:
    """A file that says which model it is for, and takes none."""
    imports = "import rpgen\nfrom rpgen.models import Checkpoint\nFAMILY = 'vision'\n"
    return f"{imports}CHECKPOINT = Checkpoint({name!r})\n{GOOD}"


def test_files_of_a_model_stand_together_unless_told_otherwise(project: Project) -> None:
    project.write(a=named("x"), b=named("y"), c=named("x"), d=GOOD)
    assert begun(project.run(".")) == ["test_a.py", "test_c.py", "test_b.py", "test_d.py"]
    assert planned(project, "path") == [f"test_{n}.py" for n in "abcd"]
    drawn = project.run(".", "--order", "random")
    seeded = drawn.err.split()[-1]
    assert planned(project, seeded) == begun(drawn)
    wrong = project.run(".", "--order", "fastest")
    assert (wrong.code, "slowest-first" in wrong.err) == (2, True)


def test_the_slowest_come_first_where_earlier_runs_tell(project: Project) -> None:
    slow = "import time\ndef test_slow():\n    time.sleep(0.3)\n"
    project.write(a=GOOD, b=slow, c=GOOD)
    project.run(".")
    assert begun(project.run(".", "--order", "slowest-first"))[0] == "test_b.py"


def test_shards_have_every_file_once(project: Project) -> None:
    project.write(a=named("x"), b=named("y"), c=named("x"), d=GOOD, e=GOOD)
    shards = []
    for number in (1, 2):
        planned = project.run(".", "--shard", f"{number}/2", "--plan", "--json", "-").out
        shards.append([step["path"] for step in json.loads(planned)["steps"]])
    assert sorted(shards[0] + shards[1]) == [f"test_{n}.py" for n in "abcde"]
    assert len([shard for shard in shards if {"test_a.py", "test_c.py"} & set(shard)]) == 1
    ran = project.run("test_d.py", "test_e.py", "--shard", "2/2")
    assert list(ran.files) == ["test_e.py"]
    empty = project.run("test_a.py", "--shard", "2/2")
    assert (empty.code, "fewer models" in empty.err) == (3, True)


def test_only_what_failed_last_time(project: Project) -> None:
    body = "import pathlib\n" + GOOD
    body += "def test_bad():\n    assert pathlib.Path('mended').exists()\n"
    body += "class TestC:\n    def test_worse(self):\n        assert 0\n"
    project.write(a=GOOD, b=body, c="import no_such_module\n")
    nothing = project.run(".", "--lf")
    assert (nothing.code, "--lf" in nothing.err) == (3, True)
    assert project.run(".").code == 1
    ran = project.run(".", "--lf")
    assert set(ran.tests) == {
        "test_b.py::test_bad",
        "test_b.py::TestC::test_worse",
        "test_c.py",
    }
    (project.folder / "mended").touch()
    assert project.run("test_b.py", "--lf", "-k", "bad").code == 0
    # the others failed when they last ran, though not in the last run
    again = project.run(".", "--lf")
    assert set(again.tests) == {"test_b.py::TestC::test_worse", "test_c.py"}


FLAKY = """
import pathlib, unittest

COUNT = pathlib.Path("count")


class T(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fresh = not hasattr(cls, "fresh")
        with COUNT.open("a") as file:
            file.write("x")

    def test_flaky(self):
        self.assertTrue(self.fresh)
        self.assertGreater(len(COUNT.read_text()), 1)

    def test_good(self):
        pass

    def test_bad(self):
        self.fail(f"attempt {len(COUNT.read_text())}")


class TestPlain:
    def test_instance(self):
        assert not hasattr(self, "mark")
        self.mark = True
        assert len(COUNT.read_text()) > 1
"""


def test_reruns_tell_flaky_from_broken(project: Project) -> None:
    project.write(a=FLAKY)
    ran = project.run(".", "--reruns", "2", "--junit-xml", "junit.xml")
    assert ran.code == 1
    assert ran.outcomes == {
        "test_flaky": "passed",
        "test_good": "passed",
        "test_bad": "failed",
        "test_instance": "passed",
    }
    tests = {name.rpartition("::")[2]: test for name, test in ran.tests.items()}
    assert {name for name, test in tests.items() if test.get("flaky")} == {
        "test_flaky",
        "test_instance",
    }
    assert tests["test_bad"]["message"].endswith("attempt 3")
    cases = ElementTree.parse(project.folder / "junit.xml").iter("testcase")
    flaky = {case.get("name"): case.findall("flakyFailure") for case in cases}
    assert {name: len(found) for name, found in flaky.items()} == {
        "test_flaky": 1,
        "test_good": 0,
        "test_bad": 0,
        "test_instance": 1,
    }
    assert "flaky" in ran.out
    assert project.run(".", "-k", "not bad", "--reruns", "1").code == 0


def test_a_crash_is_run_again_too(project: Project) -> None:
    body = "import os, pathlib\ndef test_once():\n    mark = pathlib.Path('mark')\n"
    body += "    if not mark.exists():\n        mark.touch()\n        os._exit(1)\n"
    project.write(a=body + GOOD)
    ran = project.run(".", "--reruns", "1")
    assert ran.code == 0
    assert ran.tests["test_a.py::test_once"]["flaky"]


def test_a_set_up_that_fails_for_a_class_is_tried_again(project: Project) -> None:
    body = "import pathlib, unittest\nclass T(unittest.TestCase):\n    @classmethod\n"
    body += "    def setUpClass(cls):\n        mark = pathlib.Path('mark')\n"
    body += (
        "        if not mark.exists():\n            mark.touch()\n            raise OSError('no')\n"
    )
    body += "    def test_x(self):\n        pass\n    def test_y(self):\n        pass\n"
    project.write(a=body)
    ran = project.run(".", "--reruns", "1")
    assert ran.code == 0
    assert all(test["flaky"] for test in ran.tests.values())


def test_every_test_as_often_as_asked_for(project: Project) -> None:
    body = "import pathlib\ndef test_third():\n    with open('count', 'a') as file:\n"
    body += "        file.write('x')\n    assert len(pathlib.Path('count').read_text()) != 3\n"
    project.write(a=body + GOOD)
    ran = project.run(".", "--repeat", "4")
    assert ran.outcomes == {"test_third": "failed", "test_good": "passed"}
    assert len((project.folder / "count").read_text()) == 4
    assert ran.tests["test_a.py::test_third"]["flaky"]
    again = project.run(".", "--repeat", "2", "--json", "-")
    assert again.code == 0
    assert json.loads(again.out)["summary"]["tests"] == 2


def test_a_crash_among_repetitions_costs_one_of_them(project: Project) -> None:
    body = "import os, pathlib\ndef test_second():\n    with open('count', 'a') as file:\n"
    body += "        file.write('x')\n    if len(pathlib.Path('count').read_text()) == 2:\n"
    body += "        os._exit(1)\n"
    project.write(a=GOOD + body)
    ran = project.run(".", "--repeat", "4")
    assert ran.outcomes == {"test_good": "passed", "test_second": "crashed"}
    assert len((project.folder / "count").read_text()) == 4


def test_a_file_that_leaves_too_much_behind_has_failed(project: Project) -> None:
    leaks = "import builtins\ndef test_leaks():\n    builtins.kept = bytearray(b'x' * 2**26)\n"
    project.write(a=leaks, b=GOOD)
    assert project.run(".").code == 0
    ran = project.run(".", "--fail-on-leak", "30MB")
    assert ran.code == 1
    assert ran.files["test_a.py"]["outcome"] == "failed"
    assert "64 MB" in ran.tests["test_a.py"]["message"]
    assert ran.files["test_b.py"]["outcome"] == "passed"
    assert project.run(".", "--fail-on-leak", "lots").code == 2


def test_the_worker_stays_small_over_many_files(project: Project) -> None:
    notes = "    lines = Path('/proc/self/status').read_text().splitlines()\n"
    notes += "    with open('sizes', 'a') as file:\n"
    notes += (
        "        file.write(next(s.split()[1] for s in lines if s.startswith('VmRSS')) + ' ')\n"
    )
    body = "from pathlib import Path\nimport unittest\nclass T(unittest.TestCase):\n"
    body += "    def test_t(self):\n        pass\ndef test_notes():\n" + notes
    if not Path("/proc/self/status").exists():
        return
    project.write(**{f"n{number:03}": body for number in range(200)})
    ran = project.run(".", "-q")
    assert ran.report["summary"]["passed"] == 400
    sizes = [int(size) / 1024 for size in (project.folder / "sizes").read_text().split()]
    assert sizes[199] - sizes[19] < 100
