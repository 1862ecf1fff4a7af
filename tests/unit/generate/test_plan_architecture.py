"""What a file of an architecture holds follows from what is remembered of the type."""

from typing import Any

import pytest

from rpgen.errors import UsageError
from rpgen.families import Family
from rpgen.generate.architecture import plan_architecture
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import TestPlan, Wishes
from rpgen.generate.render import Renderer
from rpgen.model_database import Architecture, load

IDS = {"kind": "tokens", "shape": [2, 12], "high": 100}
GRID = {"kind": "fixed", "values": [[1, 4, 4]]}


def plan(tiny: dict[str, Any], weights: str = "tiny") -> TestPlan:
    known = Architecture("some", Family.EMBEDDING, None, "AutoModel", "SomeConfig", tiny=tiny)
    return plan_architecture(known, "test_hf_some.py", Wishes(weights=weights))


def test_the_levels_stand_in_their_order_and_in_words() -> None:
    tiny = {"auto_class": "AutoModel", "rung": 0, "inputs": {"input_ids": IDS},
            "levels": ["training", "forward", "joint"]}  # fmt: skip
    made = plan(tiny)
    assert made.levels == ("forward", "joint modalities", "training step")
    assert made.arguments == ("input_ids",)
    assert "training" in made.checks
    assert "generation" not in made.checks


def test_what_a_type_does_not_stand_is_left_out() -> None:
    tiny = {"auto_class": "AutoModelForCausalLM", "rung": 0, "inputs": {"input_ids": IDS},
            "levels": ["forward"], "left_out": {"saving": "it forgets", "fp16": "it overflows",
                                               "draws": "it rolls dice"}}  # fmt: skip
    made = plan(tiny)
    assert "saving" not in made.checks
    assert {"cache", "look_ahead", "rows"} <= made.checks
    assert made.precisions == ("bf16",)
    assert made.draws


def test_reasons_stand_in_the_file_whole() -> None:
    reason = "a choice falls otherwise: " + "topk chooses otherwise at 3 of 24 places, " * 6 + "end"
    tiny = {"auto_class": "AutoModel", "rung": 0, "inputs": {"input_ids": IDS},
            "left_out": {"fp16": reason},
            "missed": {"training": "the loss is infinite"},
            "limits": {"video": "it takes the places of image"}}  # fmt: skip
    made = plan(tiny)
    assert made.notes[0] == "Left out:"
    assert made.notes[-4:-2] == ("Not reached:", "- training step: the loss is infinite")
    assert made.notes[-2:] == (
        "Not in this call, by the code of the model itself:",
        "- video: it takes the places of image",
    )
    told = " ".join(line.strip() for line in made.notes[1:-4])
    assert told == f"- fp16: {reason}"
    text = Renderer().render(made)
    assert all(f"# {line}\n" in text for line in made.notes)


def test_the_command_says_what_shapes_the_file() -> None:
    known = Architecture("some", Family.EMBEDDING, None, "AutoModel", "SomeConfig")
    wishes = Wishes(device="cuda", weights="auto", revision="main", cleanup_minutes=60.0)
    assert plan_architecture(known, "test_hf_some.py", wishes).command == (
        "rpgen generate --architecture some --device cuda --weights tiny --timeout 60"
    )


def test_rows_are_compared_where_every_input_has_one_for_each() -> None:
    tiny = {"auto_class": "AutoModel", "rung": 0, "inputs": {"input_ids": IDS, "grid": GRID}}
    assert "rows" not in plan(tiny).checks


@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_type_has_no_weights_of_its_own(weights: str) -> None:
    with pytest.raises(UsageError, match="--weights tiny"):
        plan({}, weights)


def test_a_type_that_there_is_not(tmp_path: Any) -> None:
    generator = Generator(Renderer(), load(), Settings(tmp_path))
    outcome = generator.try_generate_architecture("no-such-type", Wishes())
    assert "no-such-type" in outcome.reason
    assert outcome.path is None


def test_every_type_gets_a_file(tmp_path: Any) -> None:
    generator = Generator(Renderer(), load(), Settings(tmp_path))
    types = generator.architectures()
    assert len(types) > 600
    for name in types[::40]:
        text = generator.generate_architecture(name, Wishes(weights="tiny")).path
        assert text is not None
        assert f'"{name}"' in text.read_text("utf-8")
