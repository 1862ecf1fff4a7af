"""Seams between what sees and what reads, and the forms in which pictures come to a text."""

import pytest

from rpgen.models import tiny
from rpgen.models.examples.search import search
from rpgen.models.examples.sizes import are_axes
from rpgen.models.load import built_model

JOINT = [
    ("llava_onevision", "AutoModelForImageTextToText", 1),  # tiles of large pictures
    ("ovis2", "AutoModelForImageTextToText", 1),  # a width that is stated twice
    ("molmo2", "AutoModelForImageTextToText", 1),  # patches, and how they are pooled
    ("glm_image", "AutoModel", 1),  # a picture seen, and one to be made
    ("granite_docling", "AutoModelForImageTextToText", 0),  # tiles with a mask
    ("inkling2", "AutoModelForImageTextToText", 3),  # patches as the part that sees tells
    ("blip_2_qformer", "AutoModel", 0),  # states of both
]


def config_of(model_type: str, rung: int) -> object:
    full = tiny.full_config(model_type, {})
    return tiny.step_config(full, tiny.figures_of(full), rung, {})


@pytest.mark.parametrize(("model_type", "auto_class", "rung"), JOINT)
def test_the_first_search_ends_with_both(model_type: str, auto_class: str, rung: int) -> None:
    found, _ = search(built_model(config_of(model_type, rung), auto_class))
    assert found is not None
    assert {"text", "image"} <= set(found.kinds)


def test_tiles_are_as_large_as_the_part_that_sees() -> None:
    config = config_of("llava_onevision", 1)
    side = config.vision_config.image_size  # type: ignore[attr-defined]
    for pair in config.image_grid_pinpoints:  # type: ignore[attr-defined]
        assert all(each % side == 0 and each for each in pair)


def test_a_gate_that_begins_shut_stands_ajar() -> None:
    model = built_model(config_of("mllama", 1), "AutoModelForImageTextToText")
    gates = [each for name, each in model.named_parameters() if name.endswith("attn_gate")]
    assert gates
    assert all(gate.item() for gate in gates)


def test_axes_are_known_by_what_code_calls_them() -> None:
    assert are_axes(("B", "T", "H", "W", "C"))
    assert are_axes(("batch_size", "num_channels", "height", "width"))
    assert not are_axes(("batch", "length", "width"))
    assert not are_axes(("height", "h"))


def test_a_part_that_only_encodes_is_run_by_that() -> None:
    found, _ = search(built_model(config_of("glm_image_vqmodel", 0), "AutoModel"))
    assert found is not None
    assert set(found.specs) == {"hidden_states"}
