"""Figures of vision parts that wrap timm: told by their form, made small with their whole."""

from rpgen.models.shrink import LADDER, shrunk
from rpgen.models.timm_parts import REDUCTION, SIDE, TINY, WIDTHS, is_wrapped

PART = {"model_type": "whatever", "architecture": "fastvit_mci3", "hidden_size": 3072}


def test_a_part_that_names_an_architecture_gets_the_tiny_one() -> None:
    whole = {"model_type": "whole", "image_seq_length": 576, "vision": {**PART, "model_args": None}}
    small = shrunk(whole, LADDER[0])
    assert small["vision"]["architecture"] == TINY
    assert small["vision"]["hidden_size"] == 384
    assert small["vision"]["image_size"] == SIDE
    assert small["image_seq_length"] == (SIDE // REDUCTION) ** 2


def test_maps_of_all_stages_are_as_wide_as_the_whole_expects_them() -> None:
    arguments = {"features_only": True, "out_indices": [0, 1, 2, 3]}
    whole = {
        "model_type": "whole",
        "backbone_channel_list": [384, 192, 96, 48],
        "backbone_config": {**PART, "model_args": arguments},
    }
    small = shrunk(whole, LADDER[0])
    assert small["backbone_channel_list"] == list(reversed(WIDTHS))
    assert "image_size" not in small["backbone_config"]
    assert small["backbone_config"]["model_args"] == arguments


def test_widths_among_the_arguments_shrink_as_well() -> None:
    whole = {"model_type": "whole", "vision": {**PART, "model_args": {"embed_dim": 1024}}}
    assert shrunk(whole, LADDER[0])["vision"]["model_args"] == {"embed_dim": 128}


def test_a_model_of_timm_itself_stays_what_it_is() -> None:
    root = {**PART, "model_args": None}
    assert is_wrapped(root)
    assert shrunk(root, LADDER[0])["architecture"] == "fastvit_mci3"
    assert not is_wrapped({"model_type": "vit", "architecture": "x"})
