"""What is remembered of a type stands while it holds every kind of input that the type takes."""

from typing import Any

import pytest

from rpgen.architectures import one
from rpgen.architectures.explore import _with_whole
from rpgen.architectures.heads import part_told, whole_told
from rpgen.architectures.trial import Verdict
from rpgen.model_database import Architecture
from rpgen.models.recipe import Recipe, from_plain

PLAIN = {"kind": "normal", "shape": [2, 4], "dtype": "float32"}
KINDS = ("text", "image", "video")


@pytest.fixture(autouse=True)
def nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def passes(model_type: str, recipe: Recipe, **options: Any) -> Verdict:
        return Verdict(recipe)

    monkeypatch.setattr(one, "try_out", passes)


def remembered(
    monkeypatch: pytest.MonkeyPatch, *names: str, inputs: tuple[str, ...] = KINDS, **more: Any
) -> dict[str, Any] | None:
    tiny = {
        "auto_class": "AutoModelForImageTextToText",
        "rung": 3,
        "inputs": dict.fromkeys(names, PLAIN),
        "levels": ["forward", "joint"],
        **more,
    }
    monkeypatch.setattr(one, "recipe_of", lambda name: from_plain(tiny))
    known = Architecture(
        "qwen2_vl", None, None, "AutoModelForImageTextToText", "Qwen2VLConfig", inputs, tiny=tiny
    )
    return one._as_remembered(known)


def test_all_kinds_stand_and_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = remembered(monkeypatch, "input_ids", "pixel_values", "pixel_values_videos")
    assert found is not None
    assert found["kinds"] == list(KINDS)


def test_fewer_are_explored_anew_whatever_they_were_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert remembered(monkeypatch, "input_ids", "pixel_values") is None


def test_what_was_found_before_kinds_were_noted_holds_all_that_its_head_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert remembered(monkeypatch, "input_ids", inputs=("text",)) is None
    assert remembered(monkeypatch, "input_ids", inputs=("text",), kinds=["text"]) is not None


def test_a_class_for_a_part_is_not_the_type(monkeypatch: pytest.MonkeyPatch) -> None:
    part = {"auto_class": "Gemma3nForCausalLM"}
    tiny = {**part, "rung": 3, "inputs": {"input_ids": PLAIN}, "kinds": ["text"]}
    monkeypatch.setattr(one, "recipe_of", lambda name: from_plain(tiny))
    known = Architecture("gemma3n", None, None, None, "Gemma3nConfig", ("text",), tiny=tiny)
    assert one._as_remembered(known) is None


def test_a_part_stands_where_the_whole_is_never_called() -> None:
    assert part_told("bark", "BarkCausalModel")
    assert whole_told("bark") == "BarkModel has no forward"
    assert whole_told("gemma3n") == ""
    limits = _with_whole("bark", Recipe("BarkCausalModel", 0)).limits
    assert "a part of BarkConfig" in limits["whole"]
    assert not _with_whole("bark", Recipe("AutoModel", 0)).limits
    assert not _with_whole("gemma3n", Recipe("Gemma3nForCausalLM", 0)).limits
