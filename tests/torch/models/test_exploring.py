"""What is found out about an architecture from its configuration and from what its model says."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BarkConfig,
    BarkSemanticModel,
    BertConfig,
    MusicgenConfig,
    UVDocConfig,
    VisionEncoderDecoderConfig,
)

from rpgen import checks
from rpgen.architectures.remedies import remedies
from rpgen.models import tiny
from rpgen.models.awake import FAN_GAIN, NORM_DATA
from rpgen.models.completion import completed
from rpgen.models.examples.facts import Argument, Facts
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.repair import repaired
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Spec, normal, tokens
from rpgen.models.load import built_model, count_parameters, part_for
from rpgen.models.recipe import Recipe
from rpgen.models.shrink import LADDER, shrunk


def offer(message: str, config: Any, **specs: Spec) -> Situation | None:
    arguments = {name: Argument(name, False, None, "") for name in specs}
    facts = Facts(torch.nn.Identity(), config, arguments)
    return repaired(Failure(RuntimeError(message), facts, Situation(tuple(specs)), specs))


def test_a_class_for_a_part_gets_that_part_of_the_configuration() -> None:
    whole = BarkConfig()
    assert part_for(BarkSemanticModel, whole) is whole.semantic_config
    assert part_for(BarkSemanticModel, whole.semantic_config) is whole.semantic_config


def test_a_composite_is_made_of_the_parts_of_its_documented_example() -> None:
    made = tiny.composite(VisionEncoderDecoderConfig)
    assert (made.encoder.model_type, made.decoder.model_type) == ("vit", "bert")
    assert made.decoder.add_cross_attention
    assert tiny.composite(MusicgenConfig).audio_encoder.model_type == "encodec"


@pytest.mark.parametrize(("model_type", "several"), [("bert", True), ("resnet", False)])
def test_a_model_says_whether_its_attention_has_a_second_form(
    model_type: str, several: bool
) -> None:
    model = built_model(tiny.tiny_config(model_type), "AutoModel")
    assert checks.has_several_attentions(model) is several


def test_a_table_that_is_none_gets_the_key_that_is_looked_up(tmp_path: Path) -> None:
    config = BertConfig()
    config.model_args = None
    code = tmp_path / "part.py"
    code.write_text('def width(config):\n    return config.model_args["embed_dim"]\n')
    place: dict[str, Any] = {}
    exec(compile(code.read_text(), str(code), "exec"), place)
    with pytest.raises(TypeError) as failure:
        place["width"](config)
    assert completed(config, failure.value, {}) == {"model_args": {"embed_dim": config.hidden_size}}


def test_a_class_that_the_package_does_not_export_is_found() -> None:
    config = tiny.tiny_config("voxtral_realtime_text")
    assert count_parameters(config, "AutoModel") <= tiny.LARGEST_TINY


def test_a_list_of_levels_that_was_empty_is_known_to_what_is_inferred_from_it() -> None:
    full = tiny.full_config("lw_detr", {})
    figures = tiny.figures_of(full)
    assert tiny.step_config(full, figures, 0, {}).num_feature_levels == 0
    filled = tiny.step_config(full, figures, 0, {"projector_scale_factors": [1.0]})
    assert filled.num_feature_levels == 1


def test_a_backbone_gives_out_all_its_stages_where_they_are_joined() -> None:
    told = "expected input[2, 128, 8, 8] to have 768 channels, but got 128 channels instead"
    found = completed(UVDocConfig(), RuntimeError(told), {})
    assert found == {"backbone_config.out_indices": [1, 2, 3, 4, 5, 6]}


@pytest.mark.parametrize("rung", LADDER[:5])
def test_heads_of_states_take_up_the_inner_width(rung: Any) -> None:
    full = {"hidden_size": 4096, "mamba_expand": 2, "mamba_n_heads": 128, "mamba_d_head": 64}
    small = shrunk(full, rung)
    assert small["mamba_n_heads"] * small["mamba_d_head"] == 2 * small["hidden_size"]


def test_ids_of_several_streams_get_an_axis_for_them() -> None:
    config = BertConfig()
    config.num_codebooks = 4
    told = (
        "The size of tensor a (12) must match the size of tensor b (5) at non-singleton dimension 1"
    )
    found = offer(told, config, input_ids=tokens((2, 12), 9))
    assert found is not None
    assert found.streams == 5


def test_features_that_meet_are_made_as_long_as_each_other() -> None:
    told = "Sizes of tensors must match except in dimension 1. Expected size 80 but got size 50"
    found = offer(told, BertConfig(), input_features=normal(2, 80, 160))
    assert found is not None
    assert found.fixes == {"input_features": ((80, 50, None),)}


def test_weights_that_tell_nothing_get_a_wider_spread() -> None:
    given = {"input_ids": {"kind": "tokens", "shape": [2, 12], "high": 1000}}
    recipe = Recipe("AutoModel", 0, {"vocab_size": 64}, given)
    first, second, *others = remedies(recipe, BertConfig(), "finite: outputs.logits: 4 are NaN")
    assert first.settings == {"vocab_size": 64, "initializer_range": pytest.approx(0.2)}
    assert second.settings == {"vocab_size": 64, "initializer_range": pytest.approx(0.08)}
    assert first.inputs == second.inputs == given
    assert {other.rung for other in others} == {1, 3, 10}
    assert [each.rung for each in remedies(recipe, BertConfig(), "attention: far")] == [1, 3, 10]
    assert not list(remedies(recipe, BertConfig(), "memory: it grows"))


def test_a_signal_that_fades_is_amplified_layer_by_layer() -> None:
    recipe = Recipe("AutoModel", 0, {}, {"pixel_values": {"kind": "normal", "shape": [2, 3, 8]}})
    for problem in ("alive: outputs.logits has faded", "matters: another x: nothing changed"):
        gains = [each.settings.get(FAN_GAIN) for each in remedies(recipe, BertConfig(), problem)]
        assert {1.0, 1.5, 2.0} <= set(gains)
    found = remedies(recipe, BertConfig(), "finite: outputs.logits: 4 are NaN")
    assert not any(FAN_GAIN in each.settings for each in found)


def test_batch_norms_see_data_in_models_of_pictures_alone() -> None:
    picture = {"kind": "normal", "shape": [2, 3, 64, 64]}
    mask = {"kind": "ones", "shape": [2, 12]}

    def shown(problem: str, **inputs: dict[str, object]) -> list[list[int] | None]:
        recipe = Recipe("AutoModel", 0, {}, inputs)
        return [each.settings.get(NORM_DATA) for each in remedies(recipe, BertConfig(), problem)]

    fading = "alive: outputs.logits has faded"
    assert [4, 3, 64, 64] in shown(fading, pixel_values=picture)
    assert not any(shown(fading, pixel_values=picture, mel_mask=mask))
    assert not any(shown(fading, input_values=picture))
    assert not any(shown("finite: outputs.logits: 4 are NaN", pixel_values=picture))


def test_inputs_that_tell_nothing_are_shown() -> None:
    picture = {"kind": "normal", "shape": [2, 3, 256, 256], "dtype": "float32"}
    mask = {"kind": "ones", "shape": [2, 12], "dtype": "bool"}
    recipe = Recipe("AutoModel", 0, {}, {"pixel_values": picture, "mel_mask": mask})
    found = remedies(recipe, BertConfig(), "matters: another pixel_values: nothing changed")
    (other,) = (each.inputs for each in found if each.inputs != recipe.inputs)
    assert other == {"pixel_values": picture, "mel_mask": {**mask, "kind": "zeros"}}
    found = remedies(recipe, BertConfig(), "finite: outputs.boxes: 4 of 40 values are infinite")
    (other,) = (each.inputs for each in found if each.inputs != recipe.inputs)
    assert other == {"pixel_values": {**picture, "shape": [2, 3, 128, 128]}, "mel_mask": mask}


def test_a_sound_by_another_name_is_made_long_enough() -> None:
    told = "Calculated padded input size per channel: (6). Kernel size: (8). Kernel size can't be"
    found = offer(told, BertConfig(), hidden_states=normal(2, 1, 14))
    assert found is not None
    assert found.fixes == {"hidden_states": ((14, 16_000, 2),)}
