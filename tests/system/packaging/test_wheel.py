"""The wheel carries its data and works from any folder, without the source tree."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("rpgen-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel's content; what it depends on is found as before."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(target), str(wheel)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def test_data_and_entry_points_are_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {path.name for path in (ROOT / "templates").glob("*.j2")}
    assert {f"rpgen/_shipped/templates/{name}" for name in templates} <= names
    assert "rpgen/_shipped/model_database.json" in names
    assert "rpgen/py.typed" in names
    assert not [name for name in names if "__pycache__" in name]
    assert not [name for name in names if name.startswith(("tests/", "skills/", "benchmarks/"))]
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    text = zipfile.ZipFile(wheel).read(entry_points).decode()
    assert "rpgen = rpgen.cli.entry:main" in text
    assert "rpgen = rpgen.run.pytest_plugin" in text


def test_it_generates_and_runs_from_any_folder(installed: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "HF_HUB_CACHE": str(tmp_path / "no-models"),
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = run("-c", "import rpgen.paths as p; print(p.templates_folder())").strip()
    assert where == str(installed / "rpgen" / "_shipped" / "templates")
    run("-m", "rpgen", "generate", "--model", "bert-base-uncased")
    report = json.loads(run("-m", "rpgen", "run", "skills", "--json", "-"))
    assert report["exit_code"] == 0
    assert report["summary"]["passed"] > 5
