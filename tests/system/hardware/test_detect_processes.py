"""What only whole processes show: what is imported, and inventories that processes share."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rpgen.hardware import cache

COMMAND = """
import sys
import typer
from rpgen.cli.detect import detect
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(detect)
try:
    app(sys.argv[1:])
finally:
    print("MODULES", *sorted(sys.modules), file=sys.stderr)
"""


def run(*arguments: str, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=env,
        cwd=cwd,
        timeout=120,
        check=False,
    )


def modules(done: subprocess.CompletedProcess[str]) -> set[str]:
    [line] = [line for line in done.stderr.splitlines() if line.startswith("MODULES")]
    return set(line.split())


@pytest.fixture
def env(monkeypatch):
    import os

    root = str(Path(cache.__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root, "RPGEN_HOST_NAME": "test-host"}


def test_plain_detection_imports_no_torch(env, tmp_path):
    done = run(env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not modules(done) & {"torch", "transformers", "openvino", "onnxruntime", "numpy"}
    assert "test-host" in done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is written unasked"


def test_a_cached_detection_stays_light(env, tmp_path):
    first = run("--hw-cache", "cache.json", env=env, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    again = run("--hw-cache", "cache.json", env=env, cwd=tmp_path)
    heavy = {"torch", "transformers", "psutil", "filelock", "cpuinfo", "huggingface_hub"}
    assert not modules(again) & heavy
    assert "rpgen.hardware.detector" not in modules(again), "it was read, not detected"
    assert [line.split()[:2] for line in again.stdout.splitlines()[2:]] == [
        line.split()[:2] for line in first.stdout.splitlines()[2:]
    ]


def test_json_is_one_document(env, tmp_path):
    done = run("--json", env=env, cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["schema"] == 1
    assert found["host"]["name"] == "test-host"
    assert found["backends"]["cpu"]["state"] == "available"
    assert found["memory_available_mb"] > 0
    for report in found["backends"].values():
        assert report["state"] == "available" or report["reason"]


def test_a_foreign_file_is_a_warning_and_no_failure(env, tmp_path):
    (tmp_path / "cache.json").write_text('{"somebody": "else"}')
    done = run("--hw-cache", "cache.json", env=env, cwd=tmp_path)
    assert done.returncode == 0
    assert "broken-1" in done.stderr
    assert (tmp_path / "cache.json.broken-1").read_text() == '{"somebody": "else"}'
    assert json.loads((tmp_path / "cache.json").read_text())["hosts"]


def test_processes_that_write_at_once_keep_each_others_hosts(env, tmp_path):
    names = [f"host-{number}" for number in range(4)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, "--hw-cache", "shared.json", "--refresh"],
            env={**env, "RPGEN_HOST_NAME": name},
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [process.wait(timeout=120) for process in running] == [0] * len(names)
    inventory, warning = cache.load(tmp_path / "shared.json")
    assert warning is None
    assert sorted(inventory.hosts) == names
