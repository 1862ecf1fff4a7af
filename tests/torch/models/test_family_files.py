"""What the files of well-known models show of a head, and that it does not hide a fault."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import FNetForMaskedLM

from rpgen import paths
from rpgen.architectures import family
from rpgen.architectures.family import File
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.model_database import load

FNET = ("fnet", "AutoModelForMaskedLM")


def test_what_a_model_does_by_design_is_left_out_with_the_ground() -> None:
    before = os.environ.get(paths.MODEL_DATABASE, "")
    assert family.find(*FNET) == {
        "left_out": {"alone": "padding is not kept from it: forward of FNetForMaskedLM takes no"
                     " attention_mask"}
    }  # fmt: skip
    assert os.environ.get(paths.MODEL_DATABASE, "") == before


def test_where_an_untrained_model_says_too_little_its_weights_begin_otherwise() -> None:
    found = family.find("mobilebert", "AutoModelForMaskedLM")
    assert set(found) == {"settings"}


def test_what_the_file_raises_shows_that_it_does_not_fit() -> None:
    found = family.find("layoutlmv3", "AutoModel")
    assert set(found) == {"misfit"}
    assert "KeyError: 'boxes'" in found["misfit"]


def test_a_fault_is_a_problem_whatever_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, runs = FNetForMaskedLM.forward, [0]

    def drifting(self: Any, *args: Any, **inputs: Any) -> Any:
        outputs = plain(self, *args, **inputs)
        runs[0] += 1
        outputs.logits = outputs.logits + runs[0]
        return outputs

    monkeypatch.setattr(FNetForMaskedLM, "forward", drifting)
    found = family.find(*FNET)
    assert "differs by" in found["problem"]
    assert set(found.get("left_out", ())) <= {"alone"}
    assert "settings" not in found


def test_what_is_known_of_a_head_shapes_file_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads(paths.shipped_model_database().read_text())
    content["architectures"]["fnet"]["heads"] = {
        FNET[1]: {"left_out": {"alone": "it draws"}, "settings": {"untrained_fan_gain": 3.0}}
    }
    path = tmp_path / "db.json"
    path.write_text(json.dumps(content))
    monkeypatch.setenv(paths.MODEL_DATABASE, str(path))
    generator = Generator(Renderer(), load(), Settings(tmp_path))
    done = generator.generate("google/fnet-base", Wishes(weights="tiny"))
    assert done.path is not None
    source = done.path.read_text()
    assert "equals_itself" not in source
    assert "# - alone: it draws" in source
    tested = File(done.path).subject("test_model_is_ready")
    layer = next(each for each in tested.model.modules() if isinstance(each, torch.nn.Linear))
    spread = float(layer.weight.detach().std()) * layer.in_features**0.5
    assert spread == pytest.approx(3.0, rel=0.01)
    tested.again()


def test_an_error_in_set_up_is_one_of_set_up(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("import unittest\n\nclass TestIt(unittest.TestCase):\n"
                    "    @classmethod\n    def setUpClass(cls):\n        raise KeyError('it')\n\n"
                    "    def test_x(self):\n        pass\n")  # fmt: skip
    (failure,) = File(path).failures()
    assert str(failure) == "setUpClass: KeyError: 'it'"
    assert failure.check is None
    assert not failure.is_of_a_check


@pytest.mark.parametrize(
    ("test", "said", "check"),
    [
        ("test_half_precision_is_finite_and_close", "in fp16: outputs.logits: differs", "fp16"),
        ("test_the_cache_changes_nothing", "differs", "cache"),
        ("test_an_image_alone_equals_itself_in_a_batch", "differs", "alone"),
        ("test_padding_changes_nothing", "differs", "continued alone"),
        ("test_checkpoint_is_whole", "NaN", None),
    ],
)
def test_which_check_a_test_is(test: str, said: str, check: str | None) -> None:
    assert family.Failure(test, AssertionError(said)).check == check
