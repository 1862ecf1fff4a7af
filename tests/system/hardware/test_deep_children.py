"""The parent of `detect --deep` with children that misbehave."""

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rpgen.hardware.deep import prove
from rpgen.hardware.deep_backends import prove_backends
from rpgen.hardware.surroundings import Surroundings, run_command

CHILD = """
import json, os, sys, time
left_out = sys.argv[1:]
def say(**words):
    print(json.dumps(words), flush=True)
def result(device):
    say(event="result", device=device, hip=False, right=["fp32"], wrong={{}},
        name=None, total_mb=None, capability=None)
def work():
    say(event="start", device="torch")
    for device in ["cpu", "cuda:0", "cuda:1", "xpu"]:
        if device in left_out:
            continue
        say(event="start", device=device)
        if device == "cuda:0":
            {fault}
        elif device == "xpu":
            say(event="none", device="xpu")
        else:
            result(device)
    say(event="end")
work()
"""


def proofs_with(fault: str, timeout: float = 20.0):
    code = textwrap.dedent(CHILD).format(fault=fault)
    return prove(
        Surroundings(),
        command=lambda left_out: [sys.executable, "-c", code, *left_out],
        timeout=timeout,
    )


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "signal 11"),
        ("os.abort()", "signal 6"),
        ("os._exit(3)", "status 3"),
        ("sys.exit('the driver said no')", "the driver said no"),
        ("raise RuntimeError('CUDA error: unknown error')", "CUDA error: unknown error"),
    ],
)
def test_a_device_that_kills_the_child_costs_one_answer(fault, reason):
    found = proofs_with(fault)
    by_device = {proof.device: proof for proof in found.proofs}
    assert by_device["cpu"].ok
    assert by_device["cuda:1"].ok
    assert not by_device["cuda:0"].ok
    assert reason in by_device["cuda:0"].failure
    assert found.none == {"xpu"}


def test_a_device_that_hangs_costs_one_answer_and_the_child_is_gone(tmp_path):
    note = tmp_path / "pid"
    hang = (
        f"open({str(note)!r}, 'w').write(str(os.getpid()));"
        "import signal; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    )
    found = proofs_with(hang, timeout=1.5)
    by_device = {proof.device: proof for proof in found.proofs}
    assert "no answer" in by_device["cuda:0"].failure
    assert by_device["cuda:1"].ok
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_chatter_of_a_driver_on_stdout_is_passed_over():
    found = proofs_with("print('[driver] hello'); print('{torn'); print('[1]'); result(device)")
    assert {proof.device for proof in found.proofs if proof.ok} == {"cpu", "cuda:0", "cuda:1"}


def test_a_torch_that_can_not_be_imported_is_said():
    code = "import json; print(json.dumps({'event': 'no torch', 'reason': 'libtorch is torn'}))"
    found = prove(Surroundings(), command=lambda left_out: [sys.executable, "-c", code])
    [proof] = found.proofs
    assert proof.device == "cpu"
    assert "libtorch is torn" in proof.failure


def test_a_child_that_dies_at_once_ends_the_search():
    found = prove(
        Surroundings(), command=lambda left_out: [sys.executable, "-c", "raise SystemExit(7)"]
    )
    [proof] = found.proofs
    assert "status 7" in proof.failure


def test_a_program_and_its_children_end_with_its_time(tmp_path):
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(note)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    finished = run_command([sys.executable, "-c", code], 3.0)
    assert finished.status is None
    assert "no answer" in finished.error
    pid = int(note.read_text())
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if ") Z" in _stat(pid):
            return  # dead, and waiting for whoever adopted it
        time.sleep(0.1)
    pytest.fail("the grandchild is still alive")


def _stat(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ") Z"


def test_a_program_that_is_not_there():
    finished = run_command(["/no/such/program"], 1.0)
    assert finished.status is None
    assert "/no/such/program" in finished.error


BACKENDS = """
import json, os, sys, time
for target in sys.argv[1:]:
    if target == "openvino:GPU":
        {fault}
    print("a driver's chatter")
    answer = dict(target=target, ok=True, detail="right", remedy="", software=False)
    print(json.dumps(answer), flush=True)
"""


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("os.kill(os.getpid(), 11)", "signal 11"), ("time.sleep(60)", "no answer in 1 s")],
)
def test_a_backend_that_fails_costs_one_answer(fault, reason):
    targets = ("openvino:CPU", "openvino:GPU", "wasm")
    code = BACKENDS.format(fault=fault)
    found = prove_backends(
        Surroundings(),
        targets,
        command=lambda left: [sys.executable, "-c", code, *left],
        timeout=1.0,
    )
    assert [proof.target for proof in found] == list(targets)
    assert [proof.ok for proof in found] == [True, False, True]
    assert reason in found[1].detail
    assert found[1].remedy


def test_without_a_backend_no_child_is_started():
    def command(targets):
        raise AssertionError(targets)

    assert prove_backends(Surroundings(), (), command=command) == ()
