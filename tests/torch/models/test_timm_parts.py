"""Wholes with a vision part of timm, built, run, saved and loaded with transformers' own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel
from transformers.models.timm_wrapper.configuration_timm_wrapper import TimmWrapperConfig

from rpgen.models.load import built_model
from rpgen.models.timm_parts import TINY, WIDTHS
from rpgen.models.timm_stand_in import Features, register_for
from rpgen.models.tiny import tiny_config

PICTURE = torch.linspace(-1, 1, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
WHOLES: dict[str, dict[str, Any]] = {
    "edgetam_vision_model": {"pixel_values": PICTURE},
    "pe_video_encoder": {"pixel_values_videos": torch.stack([PICTURE, PICTURE])},
}


@pytest.mark.parametrize("model_type", WHOLES)
def test_a_whole_runs_and_comes_back_from_its_files(model_type: str, tmp_path: Path) -> None:
    model = built_model(tiny_config(model_type), "AutoModel")
    outputs = model(**WHOLES[model_type])
    assert outputs.last_hidden_state.isfinite().all()
    model.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(
        again(**WHOLES[model_type]).last_hidden_state, outputs.last_hidden_state
    )


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (None, (2, 40, 2, 2)),
        ({"embed_dim": 32}, (2, 5, 32)),
        ({"embed_dim": 32, "class_token": False}, (2, 4, 32)),
    ],
)
def test_it_gives_out_what_the_kind_of_model_gives_out(
    arguments: dict[str, Any] | None, shape: tuple[int, ...]
) -> None:
    model = Features(TimmWrapperConfig(architecture=TINY, model_args=arguments, hidden_size=40))
    assert model(PICTURE).last_hidden_state.shape == shape


def test_all_stages_where_they_are_asked_for() -> None:
    arguments = {"features_only": True, "out_indices": [0, 3]}
    maps = Features(TimmWrapperConfig(architecture=TINY, model_args=arguments))(PICTURE)
    assert [each.shape[1] for each in maps.last_hidden_state] == [WIDTHS[0], WIDTHS[3]]


def test_other_architectures_are_still_those_of_timm() -> None:
    register_for(tiny_config("pe_video_encoder"))
    with pytest.raises(ImportError, match="timm"):
        AutoModel.from_config(TimmWrapperConfig(architecture="resnet18"))
