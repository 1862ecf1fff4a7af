"""The README is run, not remembered.

`RPGEN_RECORD=1 pytest tests/system/cli/test_readme.py` writes the help texts into it again.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rpgen.cli.app import COMMANDS
from rpgen.errors import ExitCode

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
HELP = re.compile(r"<!-- help -->\n(.*)<!-- /help -->", re.DOTALL)


def rpgen(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-m", "rpgen", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_help_texts_are_those_of_the_program(tmp_path: Path) -> None:
    shown = ""
    for name in ("", *COMMANDS):
        words = [word for word in (name, "--help") if word]
        text = rpgen(*words, folder=tmp_path).stdout
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        shown += f"`rpgen {' '.join(words)}`\n\n```text\n{lines}\n```\n\n"
    if os.environ.get("RPGEN_RECORD"):
        new = HELP.sub(lambda _: f"<!-- help -->\n{shown}<!-- /help -->", README.read_text("utf-8"))
        README.write_text(new, "utf-8")
    found = HELP.search(README.read_text("utf-8"))
    assert found
    assert found[1] == shown, "RPGEN_RECORD=1 records the help texts again"


def test_the_exit_codes_are_all_there() -> None:
    rows = re.findall(r"^\| (\d+) \| .+ \|$", README.read_text("utf-8"), re.MULTILINE)
    assert sorted(map(int, rows)) == sorted(int(code) for code in ExitCode)


def test_every_variable_that_the_code_reads_is_explained() -> None:
    """And no other: RPGEN_WORKER marks the workers' processes and is nobody's to set."""
    own = re.compile(r"\b(?:RPGEN_[A-Z_]+|RESOURCE_POOL_LOW_MEMORY|HARDWARE_DETECTION_CACHE)\b")
    code = {
        name for path in (ROOT / "rpgen").rglob("*.py") for name in own.findall(path.read_text())
    }
    readme = {
        name
        for row in re.findall(r"^\| `.*$", README.read_text(), re.M)
        for name in own.findall(row)
    }
    assert readme == code - {"RPGEN_WORKER"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)


def test_the_shell_examples_run_as_they_stand(tmp_path: Path) -> None:
    scripts = tmp_path / "bin"
    scripts.mkdir()
    (scripts / "rpgen").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rpgen "$@"\n')
    (scripts / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (scripts / "pytest").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pytest "$@"\n')
    for script in scripts.iterdir():
        script.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_CACHE": str(tmp_path / "no-models"),
    }
    shipped = json.loads((ROOT / "model_database.json").read_text("utf-8"))
    few = {name: shipped["models"][name] for name in ("bert-base-uncased", "gpt2")}
    (tmp_path / "ours.json").write_text(json.dumps({**shipped, "models": few}))  # soon counted
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(lines) >= 7
    for line in lines:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("position", range(len(blocks("python"))))
def test_the_python_examples_run(position: int, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = blocks("python")[position]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first = ("audio", "2 tensors on 2 inputs compared: no difference")
    assert done.stdout.splitlines()[0] == first[position]
