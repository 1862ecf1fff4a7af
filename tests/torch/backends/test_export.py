"""Exports are made once, for that very model, and a torn one is made anew."""

import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from rpgen.backends import export as module
from rpgen.backends.base import ModelIdentity
from rpgen.backends.call import flat_call
from rpgen.backends.export import ExportedModel, export, keep_within
from rpgen.models import Checkpoint
from tests.torch.backends.contract import example, tiny

BERT = ModelIdentity("bert", weights="tiny")


def exported(cache: Path, batch: int = 2, static: bool = False) -> ExportedModel:
    bert = tiny("bert")
    inputs = example(bert, batch=batch)
    return export(flat_call(bert, inputs), inputs, BERT, static=static, cache=cache)


def test_once_for_inputs_of_other_lengths(tmp_path: Path) -> None:
    first = exported(tmp_path)
    bert = tiny("bert")
    shorter = example(bert, length=4)
    again = export(flat_call(bert, shorter), shorter, BERT, cache=tmp_path)
    assert (first.from_cache, again.from_cache) == (False, True)
    assert again.path == first.path
    assert first.sizes == {"input_ids": (None, None), "attention_mask": (None, None)}
    assert first.outputs == ("outputs.logits",)


def test_fixed_sizes_are_another_file(tmp_path: Path) -> None:
    free, fixed = exported(tmp_path), exported(tmp_path, static=True)
    assert fixed.path != free.path
    assert fixed.sizes == {"input_ids": (2, 7), "attention_mask": (2, 7)}
    assert exported(tmp_path, static=True).from_cache


def test_other_weights_under_the_same_name_are_exported_anew(tmp_path: Path) -> None:
    exported(tmp_path)
    name, head = "bert-base-uncased", "AutoModelForMaskedLM"
    other = Checkpoint(name, head, "bert", "tiny").load_model()
    with torch.no_grad():
        next(other.parameters())[0, 0] += 1.0
    inputs = example(other)
    assert not export(flat_call(other, inputs), inputs, BERT, cache=tmp_path).from_cache


@pytest.mark.parametrize("damage", ["torn", "gone", "foreign"])
def test_a_damaged_export_is_made_anew(tmp_path: Path, damage: str) -> None:
    made = exported(tmp_path)
    if damage == "torn":
        made.path.write_bytes(made.path.read_bytes()[:100])
    elif damage == "gone":
        made.path.unlink()
    else:
        (made.path.parent / "made.json").write_text("[]")
    again = exported(tmp_path)
    assert not again.from_cache
    assert exported(tmp_path).from_cache


def test_the_exports_used_longest_ago_go(tmp_path: Path) -> None:
    import os

    places = [tmp_path / name for name in ("old", "new", "mine")]
    for age, place in enumerate(places):
        place.mkdir()
        (place / "model.onnx").write_bytes(b"x" * 1000)
        (place / "made.json").write_text("{}")
        os.utime(place / "made.json", (age, age))
    keep_within(tmp_path, 2500, keep=places[2])
    assert [place.exists() for place in places] == [False, True, True]
    keep_within(tmp_path, 0, keep=places[2])
    assert [place.exists() for place in places] == [False, False, True]


def test_who_comes_second_waits_and_takes_what_the_first_made(tmp_path: Path) -> None:
    """Both find nothing, and begin."""
    begun, found = threading.Barrier(2), []
    plain = module._first

    def first(places: Any, call: Any) -> Any:
        seen = plain(places, call)
        if not getattr(here, "waited", False):
            here.waited = True
            begun.wait(timeout=60)
        return seen

    here = threading.local()
    with patch.object(module, "_first", first):
        both = [threading.Thread(target=lambda: found.append(exported(tmp_path))) for _ in "ab"]
        for each in both:
            each.start()
        for each in both:
            each.join(timeout=120)
    assert sorted(each.from_cache for each in found) == [False, True]
    assert found[0].path == found[1].path
    assert found[0].path.exists()


def test_what_a_killed_process_was_making_goes(tmp_path: Path) -> None:
    dead, alive = tmp_path / "making-abc-1", tmp_path / "making-def-2"
    for each in (dead, alive):
        each.mkdir()
        (each / "model.onnx").write_bytes(b"x")
    with module._lock(tmp_path, "def"):
        keep_within(tmp_path, 10, keep=tmp_path)
        assert (dead.exists(), alive.exists()) == (False, True)
    keep_within(tmp_path, 10, keep=tmp_path)
    assert not alive.exists()
