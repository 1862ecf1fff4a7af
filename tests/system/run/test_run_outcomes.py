"""What pytest and unittest can do, through the runner: each outcome with its cause."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from rpgen.report.json_report import SCHEMA_FILE
from tests.system.run.conftest import Project

UNITTEST = """
import unittest

class TestU(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.value = 1

    @classmethod
    def tearDownClass(cls):
        print("Resource pool stats: {}")

    def test_passes(self):
        self.assertEqual(self.value, 1)

    def test_fails(self):
        print("before it failed")
        self.assertEqual(self.value, 2, "the value")

    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1, "one")

    @unittest.skip("not on this machine")
    def test_skips(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.fail()

    def test_leaves(self):
        raise SystemExit(3)

class TestBroken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("the model can't be had")

    def test_one(self):
        pass

    def test_two(self):
        pass
"""

PYTEST = """
import pytest

@pytest.mark.parametrize("x", ["a", "b::c"])
def test_parameters(x, greeting):
    assert greeting == "hello"

def test_capture(capsys):
    print("x")
    assert capsys.readouterr().out == "x\\n"

def test_interrupt():
    raise KeyboardInterrupt

def test_exit():
    pytest.exit("enough")

def test_bytes():
    import os
    os.write(1, b"\\xff\\xfe caf\\xe9\\n")
    print("\\udcff")
    assert 0

def test_last():
    pass
"""


def test_unittest_outcomes(project: Project) -> None:
    project.write(u=UNITTEST)
    ran = project.run(".")
    assert ran.code == 1
    assert ran.outcomes == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_subtests": "failed",
        "test_skips": "skipped",
        "test_expected": "skipped",
        "test_leaves": "failed",
        "test_one": "error",
        "test_two": "error",
    }
    tests = {name.rpartition("::")[2]: test for name, test in ran.tests.items()}
    assert tests["test_subtests"]["message"].endswith("AssertionError: 1 == 1 : one")
    assert tests["test_subtests"]["message"].count("1 == 1") == 1
    assert "AssertionError: 1 != 2 : the value" in tests["test_fails"]["message"]
    assert tests["test_fails"]["output"] == "before it failed"
    assert tests["test_skips"]["message"] == "not on this machine"
    assert "SystemExit: 3" in tests["test_leaves"]["message"]
    # the cause of a set-up that failed is told at length once
    assert "can't be had" in tests["test_one"]["message"]
    assert "can't be had" in tests["test_two"]["message"]
    assert tests["test_one"]["details"]
    assert tests["test_two"]["details"] is None
    assert ran.out.count("setUpClass") == 1
    assert "\x1b" not in ran.out
    jsonschema.validate(ran.report, json.loads(SCHEMA_FILE.read_text()))


def test_a_junit_report(project: Project) -> None:
    pytest.importorskip("junitparser")
    project.write(u=UNITTEST, v="import os\ndef test_v():\n    os._exit(3)\n")
    assert project.run(".", "--junit-xml", "deep/j.xml").code == 1
    suites = ElementTree.parse(project.folder / "deep/j.xml").getroot()
    assert [suites.attrib[name] for name in ("tests", "failures", "errors")] == ["9", "3", "3"]
    assert [cause.get("type") for cause in suites.iter("error")] == ["error", "error", "crashed"]


def test_pytest_outcomes_with_fixtures_of_a_conftest_for_several_files(project: Project) -> None:
    fixture = "import pytest, os\nos.environ['SET'] = '1'\n"
    fixture += "@pytest.fixture(scope='session')\ndef greeting():\n    return 'hello'\n"
    project.write(sub__conftest=fixture, sub__a=PYTEST, sub__deep__b=PYTEST)
    project.write(
        sub__deep__env="import os\ndef test_env():\n    assert os.environ['SET'] == '1'\n"
    )
    ran = project.run("sub")
    for path in ("sub/test_a.py", "sub/deep/test_b.py"):
        outcomes = {test["id"][len(path) :]: test["outcome"] for test in ran.files[path]["tests"]}
        assert outcomes == {
            "::test_parameters[a]": "passed",
            "::test_parameters[b::c]": "passed",
            "::test_capture": "passed",
            "::test_interrupt": "failed",
            "::test_exit": "failed",
            "::test_bytes": "failed",
            "::test_last": "passed",
        }
    assert ran.outcomes["test_env"] == "passed"
    message = ran.tests["sub/test_a.py::test_bytes"]["output"]
    assert "caf\N{REPLACEMENT CHARACTER}" in message


def test_odd_names(project: Project) -> None:
    body = "from neighbour_{0} import x\ndef test_x():\n    assert x == {0}\n"
    names = ["a b/test_x.py", "ü/test_x.py", "br[1]/test_x.py", "co::lon/test_x.py", "-d/test_x.py"]
    for number, name in enumerate(names):
        path = project.put(name, body.format(number))
        project.put(path.with_name(f"neighbour_{number}.py"), f"x = {number}\n")
    project.put("-dash.py", "def test_dash():\n    pass\n")
    ran = project.run("--", *names, "-dash.py")
    assert ran.code == 0, ran.out
    assert list(ran.files) == [*names, "-dash.py"]
    project.put("br[1]/test_p.py", PYTEST.replace(", greeting", "").replace("greeting", "'hello'"))
    single = project.run("br[1]/test_x.py::test_x", "br[1]/test_p.py::test_parameters[b::c]")
    assert len(single.tests) == 2
    assert single.code == 0, single.out


def test_selection(project: Project) -> None:
    project.write(a="def test_one():\n    pass\ndef test_two():\n    pass\n")
    assert project.run("test_a.py::test_two").outcomes == {"test_two": "passed"}
    assert project.run(".", "-k", "one").outcomes == {"test_one": "passed"}
    nothing = project.run(".", "-k", "three")
    assert nothing.code == 3
    assert nothing.files["test_a.py"]["outcome"] == "skipped"
    assert project.run("test_a.py::test_three").code == 1
    refused = project.run(".", "-k", "one and (")
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    assert project.run("test_b.py").code == 2


def test_everything_skipped_is_not_a_success(project: Project) -> None:
    project.write(a="import pytest\npytest.skip('no GPU', allow_module_level=True)\n")
    ran = project.run(".")
    assert ran.code == 3
    assert ran.files["test_a.py"]["tests"][0]["message"] == "no GPU"


def test_stopping_early(project: Project) -> None:
    failing = "def test_1():\n    assert 0\ndef test_2():\n    assert 0\n"
    project.write(a=failing, b=failing, c="def test_3():\n    pass\n")
    first = project.run(".", "-x")
    assert (first.code, len(first.tests), first.report["not_run"]) == (
        1,
        1,
        ["test_b.py", "test_c.py"],
    )
    third = project.run(".", "--maxfail", "3")
    assert (third.code, len(third.tests), third.report["not_run"]) == (1, 3, ["test_c.py"])


def test_settings_of_the_project_hold(project: Project) -> None:
    project.put("pytest.ini", "[pytest]\naddopts = -q --strict-markers -m 'not slow'\n"
                "markers = slow: takes long\nfilterwarnings = error\n")  # fmt: skip
    project.write(
        a="import pytest, warnings\n@pytest.mark.slow\ndef test_slow():\n    assert 0\n"
        "def test_warns():\n    warnings.warn('careful')\n"
    )
    ran = project.run(".")
    assert ran.outcomes == {"test_warns": "failed"}
    assert not (project.folder / ".pytest_cache").exists()


def test_a_fresh_worker_for_each_file(project: Project) -> None:
    body = "import os, sys\ndef test_pid():\n    assert not hasattr(os, 'mark')\n    os.mark = 1\n"
    project.write(a=body, b=body)
    assert project.run(".").outcomes == {"test_pid": "failed"}
    assert project.run(".", "--isolate").code == 0


def test_json_on_standard_output_is_json_alone(project: Project) -> None:
    project.write(a="def test_a():\n    print('noise')\n")
    ran = project.run(".", "--json", "-")
    assert json.loads(ran.out)["summary"]["passed"] == 1
    assert "1 passed" in ran.err
    project.run(".", "--json", "deep/r.json")
    assert json.loads((project.folder / "deep/r.json").read_text())["exit_code"] == 0


def test_outputs_that_cannot_be_written_are_said_before_the_run(project: Project) -> None:
    project.write(a="def test_a():\n    pass\n")
    (project.folder / "file").write_text("")
    for option in ("--json", "--junit-xml"):
        ran = project.run(".", option, "file/r")
        assert (ran.code, len(ran.err.splitlines())) == (6, 1)
    assert not (project.folder / ".rpgen").exists()


def test_the_environment_of_the_options(project: Project) -> None:
    project.write(
        a="import os, json\ndef test_e():\n"
        "    assert os.environ['RPGEN_WEIGHTS'] == 'tiny'\n"
        "    assert os.environ['RPGEN_LEVEL'] == 'minimal'\n"
        "    prefs = json.loads(os.environ['TEST_HARDWARE_PREFERENCES'])\n"
        "    assert prefs == {'precision': 'fp32', 'device': 'cpu'}\n"
    )
    given = {"TEST_HARDWARE_PREFERENCES": "{'precision': 'fp32'}"}
    options = ("--weights", "tiny", "--device", "cpu", "--level", "minimal")
    assert project.run(".", *options, **given).code == 0
    assert project.run(".", "--device", "toaster").code == 2


def test_statistics_of_runs(project: Project) -> None:
    assert project.stats().code == 3
    project.write(a="def test_a():\n    pass\n")
    project.run(".")
    assert "no file of this run used the resource pool" in project.stats().out
    assert "1 passed" in project.stats("--live").out
    project.run(".", "-k", "none")
    rows = json.loads(project.stats("--history", "5", "--json").out)["runs"]
    assert [row["exit_code"] for row in rows] == [0, 3]
    assert rows[0]["run"] in project.stats("--history", "5").out


def test_no_torch_for_files_that_need_none(project: Project) -> None:
    project.write(a="import sys\ndef test_a():\n    assert 'torch' not in sys.modules\n")
    assert project.run(".").code == 0


def test_two_runs_at_once_do_not_mix(project: Project) -> None:
    project.write(
        a="import time\ndef test_a():\n    time.sleep(0.3)\n", b="def test_b():\n    pass\n"
    )
    processes = [project.start("run", f"test_{name}.py") for name in "ab"]
    assert [project.finish(process).code for process in processes] == [0, 0]
    reports = [json.loads(path.read_text()) for path in project.folder.rglob("report.json")]
    assert sorted(len(report["files"]) for report in reports) == [1, 1]
    assert {report["files"][0]["path"] for report in reports} == {"test_a.py", "test_b.py"}


def test_nobody_reading_the_output_does_not_end_the_run(project: Project) -> None:
    project.write(**{f"f{number}": "def test_a():\n    pass\n" for number in range(5)})
    process = project.start("run", ".")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = open(os.devnull)  # noqa: PTH123, SIM115 - so that communicate() works
    ran = project.finish(process)
    assert ran.report["summary"]["passed"] == 5
    assert Path(ran.state / "report.json").is_file()
