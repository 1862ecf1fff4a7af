"""Baselines: written, compared, drifted, torn, edited, written by two at once."""

import json
import threading
import unittest
from pathlib import Path
from typing import Any

import pytest
import torch

from rpgen import checks
from rpgen.checks import baselines
from rpgen.checks.baseline_file import Baseline, place_of_baseline, read, write
from rpgen.checks.fingerprint import fingerprint_of
from rpgen.checks.told import TOLD
from rpgen.errors import DataError, OutputError
from rpgen.models import Checkpoint

GPT2 = Checkpoint("gpt2", auto_class="AutoModelForCausalLM", model_type="gpt2", weights="tiny")
INPUTS = {"input_ids": torch.arange(5, 29).reshape(2, 12)}


@pytest.fixture
def model() -> Any:
    return GPT2.load_model()


@pytest.fixture
def generated_file(tmp_path: Path) -> str:
    TOLD.reset()
    return str(tmp_path / "test_hf_gpt2.py")


def compare(model: Any, generated_file: str, inputs: Any = INPUTS) -> None:
    checks.assert_as_in_baseline(model, GPT2, inputs, generated_file)


@pytest.fixture
def update(monkeypatch: pytest.MonkeyPatch, generated_file: str) -> Any:
    def updated(model: Any) -> Path:
        monkeypatch.setenv(baselines.VARIABLE, baselines.UPDATE)
        compare(model, generated_file)
        monkeypatch.delenv(baselines.VARIABLE)
        return place_of_baseline(generated_file, "tiny", None, "cpu", "fp32")

    return updated


def test_without_one_for_this_dtype_the_test_is_skipped_with_the_remedy(
    model: Any, update: Any, generated_file: str
) -> None:
    with pytest.raises(unittest.SkipTest, match="no baseline for tiny-cpu-fp32 is here: rpgen run"):
        compare(model, generated_file)
    update(model)
    with pytest.raises(unittest.SkipTest, match=r"tiny-cpu-bf16 .*there is one for tiny-cpu-fp32"):
        compare(model.to(torch.bfloat16), generated_file)


def test_the_test_is_absent_as_long_as_nothing_is_recorded(
    model: Any, update: Any, generated_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> list[str]:
        class Tests(unittest.TestCase):
            @checks.if_recorded(generated_file)
            def test_baseline(self) -> None:
                compare(model, generated_file)

        return list(unittest.defaultTestLoader.getTestCaseNames(Tests))

    assert names() == []
    monkeypatch.setenv(baselines.VARIABLE, baselines.UPDATE)
    assert names() == ["test_baseline"]
    update(model)
    assert names() == ["test_baseline"]


def test_what_was_written_agrees_with_any_number_of_threads(
    model: Any, update: Any, generated_file: str
) -> None:
    path = update(model)
    assert TOLD.remarks == [f"baseline written: {path} (there was none)"]
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            compare(model, generated_file)
    finally:
        torch.set_num_threads(before)


def test_a_drift_says_by_how_much_where_and_since_when(
    model: Any, update: Any, generated_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(model)
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    forward = model.forward

    def scaled(**given: Any) -> Any:
        outputs = forward(**given)
        outputs.logits = outputs.logits * 1.001
        return outputs

    monkeypatch.setattr(model, "forward", scaled)
    with pytest.raises(AssertionError) as failure:
        compare(model, generated_file)
    first, where, weights, since = str(failure.value).splitlines()
    assert first.startswith("1 of 1 outputs have drifted from the baseline (")
    assert "outputs.logits: the value at [" in where
    assert "the tolerance is" in where
    assert weights == "the weights are those of the baseline, as far as their means tell"
    assert since.startswith("changed since it last agreed: torch ")
    assert since.endswith("-> 9.9.9")


def test_other_weights_inputs_and_sizes_are_told_apart(
    model: Any, update: Any, generated_file: str
) -> None:
    update(model)
    with pytest.raises(AssertionError, match=r"the inputs are others.*\n.*input_ids: holds other"):
        compare(model, generated_file, {"input_ids": INPUTS["input_ids"] + 1})
    with pytest.raises(AssertionError, match=r"logits: has shape \(2, 11, 1024\), not \(2, 12,"):
        compare(model, generated_file, {"input_ids": INPUTS["input_ids"][:, 1:]})
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.weight.mul_(1.01)
    with pytest.raises(AssertionError, match="the weights are others than those"):
        compare(model, generated_file)


def test_an_update_touches_only_what_has_changed(
    model: Any, update: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = update(model)
    first = path.read_text()
    update(model)
    assert path.read_text() == first
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    update(model)
    changed = [
        now
        for now, was in zip(path.read_text().splitlines(), first.splitlines(), strict=True)
        if now != was
    ]
    assert len(changed) == 1
    assert '"agreed_with"' in changed[0]
    with torch.no_grad():
        model.lm_head.weight.mul_(1.5)
    update(model)
    assert "have drifted" in TOLD.remarks[-1]
    assert '"recorded_with": {' in path.read_text()
    assert path.read_text().count("9.9.9") == 2


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text[: len(text) // 2], "it is not JSON"),
        (lambda text: "", "it is not JSON"),
        (lambda text: "[1]", "it is list and no object"),
        (lambda text: text.replace('"schema": 1', '"schema": 7'), "its schema is 7"),
        (lambda text: text.replace('"mean": ', '"mean": "x", "m": '), "mean is 'x' and no number"),
        (lambda text: text.replace('"spread": ', '"mean2": '), "spread is None and no number"),
        (lambda text: text.replace('"parts": [', '"parts": [1, '), "9 parts and 8 values"),
        (lambda text: text.replace('"shape": [2', '"shape": [2.5'), "sizes that are none"),
        (lambda text: text.replace('"outputs"', '"output"'), "outputs is NoneType and no object"),
        (lambda text: text.replace('"mean": ', '"mean": NaN, "m": '), "mean is nan and no number"),
    ],
)
def test_a_torn_or_badly_edited_file_is_said_and_can_be_written_anew(
    model: Any, update: Any, generated_file: str, edit: Any, said: str
) -> None:
    path = update(model)
    whole = path.read_text()
    path.write_text(edit(whole))
    assert path.read_text() != whole
    with pytest.raises(DataError) as failure:
        compare(model, generated_file)
    assert said in str(failure.value)
    assert "--update-baselines" in str(failure.value)
    update(model)
    assert "could not be used" in TOLD.remarks[-1]
    assert path.read_text() == whole


def test_a_file_comes_back_as_it_was_and_is_json(model: Any, update: Any) -> None:
    path = update(model)
    text = path.read_text()
    assert Baseline.from_text(text).to_text() == text
    assert json.loads(text)["outputs"]["logits"]["shape"] == [2, 12, 1024]
    assert len(text) < 2000
    assert list(path.parent.iterdir()) == [path]


def test_two_that_write_at_once_leave_a_whole_file(model: Any, update: Any) -> None:
    path = update(model)
    baseline = read(path)
    assert baseline is not None
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                write(path, baseline)
                assert read(path) == baseline
        except BaseException as error:  # noqa: BLE001 (told by the main thread)
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_one_sentence(
    model: Any, update: Any, generated_file: str
) -> None:
    Path(generated_file).parent.joinpath("baselines").write_text("a file")
    with pytest.raises(OutputError, match="can't be written"):
        update(model)


def test_nan_makes_no_baseline() -> None:
    with pytest.raises(AssertionError, match="NaN"):
        fingerprint_of(torch.tensor([1.0, float("nan")]))


@pytest.mark.parametrize("place", [0, 17, 499, 999])
def test_no_value_is_outside_the_fingerprint(place: int) -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    changed = values.clone()
    changed[place] += 1.0
    before, after = ({"it": fingerprint_of(each)} for each in (values, changed))
    assert baselines.drifts(after, before, torch.float32, 12)
    assert not baselines.drifts(before, before, torch.float32, 12)


def test_revisions_devices_and_odd_names_have_files_of_their_own() -> None:
    revision = "0123456789abcdef0123456789abcdef01234567"
    named = place_of_baseline("s/test_a.py", "pretrained", revision, "cuda", "fp16")
    assert named == Path("s/baselines/test_a/pretrained-0123456789ab-cuda-fp16.json")
    odd = place_of_baseline("s/test_a.py", "pretrained", "refs/pr/1", "openvino:GPU", "fp32")
    assert odd.name == "pretrained-refs_pr_1-openvino_GPU-fp32.json"
