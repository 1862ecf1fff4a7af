"""What a person may get wrong: one sentence, the documented code, nothing written."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from rpgen import paths
from rpgen.cli.app import main
from rpgen.generate import render
from rpgen.model_database import load

LONG = "a" * 300
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rpgen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command line in an empty folder: the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-models"))

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def refused(answer: tuple[int, str, str], code: int, *said: str) -> None:
    found, _, err = answer
    assert found == code, err
    assert "bug in rpgen" not in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    for words in said:
        assert words in err


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("words", [["generate", "--model", "gpt2"], ["run", "x.py"]])
def test_a_time_is_a_number(rpgen: Run, words: list[str], number: str) -> None:
    refused(rpgen(*words, f"--timeout={number}"), 2, "timeout")


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "--model", f"./{LONG}"],
        ["detect", "--model", f"./{LONG}"],
        ["run", f"./{LONG}"],
        ["run", "test_a.py", "--json", LONG],
        ["run", "test_a.py", "--html", LONG],
        ["generate", "--model", "gpt2", "--template-dir", LONG],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_a_path_that_no_file_can_have(rpgen: Run, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert True\n")
    refused(rpgen(*words), 2)


def test_an_overlong_path_costs_one_line_of_a_list(rpgen: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"gpt2\n./{LONG}\n")
    code, out, _ = rpgen("generate", "--models-file", "list", "--json")
    assert code == 2
    found = json.loads(out)
    assert [file["model"] for file in found["files"]] == ["gpt2"]
    assert found["errors"][0]["exit_code"] == 2


def test_json_has_the_error_of_a_single_model_too(rpgen: Run) -> None:
    code, out, _ = rpgen("generate", "--model", "a b", "--json")
    (error,) = json.loads(out)["errors"]
    assert code == error["exit_code"] == 2


@pytest.mark.parametrize("device", ["cuda:foo", "mps:x", "webgpu:x"])
def test_a_device_has_a_number_or_a_name_that_there_is(rpgen: Run, device: str) -> None:
    refused(rpgen("generate", "--model", "gpt2", "--device", device), 2, device.partition(":")[2])


def test_a_precision_that_the_backend_has_not(rpgen: Run) -> None:
    words = ["generate", "--model", "gpt2", "--device", "openvino", "--dtype", "fp16"]
    refused(rpgen(*words), 2, "fp32")


def test_a_host_must_be_in_the_inventory(rpgen: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(rpgen("generate", "--model", "gpt2", "--host", "nowhere"), 2, "nowhere")
    inventory = Path(__file__).parents[3] / "hardware_cache.json"
    monkeypatch.setenv("HARDWARE_DETECTION_CACHE", str(inventory))
    host = next(iter(json.loads(inventory.read_text())["hosts"]))
    code, _, err = rpgen("generate", "--model", "gpt2", "--host", host, "--device", "tpu")
    assert code == 0
    assert f"tpu can't be used on {host}" in err


def test_what_writes_nothing_writes_no_inventory_either(rpgen: Run, tmp_path: Path) -> None:
    for option in ("--dry-run", "--check"):
        words = ["generate", "--model", "gpt2", "--device", "cuda", "--hw-cache", "new.json"]
        rpgen(*words, "--clear-cache", option)
    assert list(tmp_path.iterdir()) == []


def test_what_is_planned_is_said_as_planned(rpgen: Run, tmp_path: Path) -> None:
    rpgen("generate", "--model", "gpt2")
    file = tmp_path / "skills" / "test_hf_gpt2.py"
    edited = file.read_text() + "# mine\n"
    file.write_text(edited)
    code, out, _ = rpgen("generate", "--model", "gpt2", "--check", "--force")
    assert (code, out.split(" ")[:2]) == (1, ["would", "replace"])
    assert file.read_text() == edited


def test_a_name_that_another_model_has_taken_is_not_to_be_forced(rpgen: Run) -> None:
    code, out, _ = rpgen("generate", "--model", "a/b-c", "--model", "a/b_c")
    assert code == 6
    assert "came first" in out
    assert "--force" not in out


def test_debug_says_what_is_decided_and_why(rpgen: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        rpgen("generate", "--model", "gpt2", "--debug")
    said = caplog.text
    for words in (
        "hf_text_generation_template",
        "AutoModelForCausalLM",
        "'device': 'auto'",
        "database",
    ):
        assert words in said


def test_the_command_in_the_file_makes_the_file(rpgen: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    rpgen("generate", "--model", "gpt2", "--template-dir", "mine")
    head = (tmp_path / "skills" / "test_hf_gpt2.py").read_text()[:200]
    assert "`rpgen generate --model gpt2 --template-dir mine`" in head


@pytest.mark.parametrize(
    "body",
    ["{{ 1/0 }}", '{{ "{0}".format() }}', "{% include 'hf_text_generation_template.py.j2' %}"],
)
def test_a_template_may_raise_anything(rpgen: Run, tmp_path: Path, body: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hf_text_generation_template.py.j2").write_text(body)
    refused(rpgen("generate", "--model", "gpt2", "--template-dir", "mine"), 7)


@pytest.mark.parametrize(
    ("where", "value"),
    [("tiny", 5), ("tiny", {"inputs": 5}), ("auto_class", ["x"]), ("never", ["all"])],
)
def test_a_database_of_other_types(rpgen: Run, tmp_path: Path, where: str, value: object) -> None:
    raw = {"schema": 1, "made_with": {"transformers": "5.23.0"}, "models": {}}
    bert = {**load().raw_architectures["bert"], where: value}
    (tmp_path / "db.json").write_text(json.dumps({**raw, "architectures": {"bert": bert}}))
    words = ["generate", "--architecture", "bert", "--model-db", "db.json"]
    refused(rpgen(*words), 5, where)


def test_a_database_of_another_version_says_it_in_words(rpgen: Run, tmp_path: Path) -> None:
    raw = {"schema": 1, "made_with": {"transformers": 5}, "architectures": {}, "models": {}}
    (tmp_path / "db.json").write_text(json.dumps(raw))
    refused(rpgen("generate", "--model", "gpt2", "--model-db", "db.json"), 5, "made_with")


@pytest.mark.parametrize(
    "header",
    [
        '{"a": {"dtype": "F32", "shape": [Infinity], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, Infinity]}}',
    ],
)
def test_a_weight_file_of_infinite_size(rpgen: Run, tmp_path: Path, header: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header.encode() + b"\0" * 4
    )
    refused(rpgen("generate", "--model", "./model"), 4)


def test_own_templates_are_not_compiled_into_the_shipped_folder(
    rpgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, mine = tmp_path / "shipped", tmp_path / "mine"
    shutil.copytree(paths.templates_folder(), shipped, ignore=lambda *_: ["__pycache__"])
    mine.mkdir()
    name = "hf_text_generation_template.py.j2"
    (mine / name).write_text((shipped / name).read_text())
    monkeypatch.setattr(render, "templates_folder", lambda: shipped)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    rpgen("generate", "--model", "gpt2", "--template-dir", "mine")
    assert [path.name for path in mine.iterdir()] == [name]
    kept = len(list((shipped / "__pycache__").iterdir()))
    rpgen("generate", "--model", "gpt2", "-o", "other")
    assert len(list((shipped / "__pycache__").iterdir())) == kept + 1


def test_a_plan_has_no_reports_of_a_run(rpgen: Run, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert True\n")
    refused(rpgen("run", "test_a.py", "--plan", "--html", "x.html"), 2, "--json only")
    refused(rpgen("run", "test_a.py", "--plan", "-k", "a"), 2, "-k")
    refused(rpgen("run", "test_a.py", "--hw-cache"), 2, "--plan")
    code, _, _ = rpgen("run", "test_a.py", "--plan", "--json", "new/x.json")
    assert code == 0
    assert json.loads((tmp_path / "new" / "x.json").read_text())["steps"]


def test_options_that_mean_nothing_together(rpgen: Run) -> None:
    refused(rpgen("stats", "--live", "--json"), 2, "--live")
    refused(rpgen("detect", "--check", "--deep"), 2, "--check")
