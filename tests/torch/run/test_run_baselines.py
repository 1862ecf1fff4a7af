"""`rpgen run --update-baselines`, and runs that compare with what it wrote."""

import json
from pathlib import Path

import pytest

from rpgen import model_database
from rpgen.checks import baseline_file
from rpgen.errors import DataError
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from tests.system.run.conftest import Project

TEST = "test_outputs_are_those_of_the_baseline"


def generate(folder: Path) -> None:
    generator = Generator(Renderer(), model_database.load(), Settings(folder))
    generator.generate("bert-base-uncased", Wishes(weights="tiny", device="cpu"))


def test_a_drift_from_what_was_recorded_fails_the_run(project: Project) -> None:
    generate(project.folder)
    (name,) = [path.name for path in project.folder.glob("test_hf_*.py")]
    written = project.run(".", "--update-baselines", "-k", "baseline")
    assert written.code == 0, written.out + written.err
    place = f"baselines/{Path(name).stem}/tiny-cpu-fp32.json"
    assert written.files[name]["remarks"] == [f"baseline written: {place} (there was none)"]
    path = project.folder / place
    edited = json.loads(path.read_text())
    edited["outputs"]["logits"]["values"][3] += 0.5
    edited["agreed_with"]["torch"] = "1.0"
    path.write_text(json.dumps(edited))
    drifted = project.run(".", "-k", "baseline")
    assert (drifted.code, drifted.outcomes) == (1, {TEST: "failed"})
    assert "outputs.logits: the value at [" in drifted.out
    assert "torch 1.0 -> " in drifted.out
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError, match="can't be used: it is not JSON"):
        baseline_file.read(path)
