"""Rules for calls of a text with something else, each on the error that torch really raises."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rpgen.architectures.heads import fullest_heads_first, part_told
from rpgen.checks.model import assert_whole
from rpgen.models import tiny
from rpgen.models.completion_fits import fewer_codebooks, fewer_heads, longer_table
from rpgen.models.examples import repair_joint
from rpgen.models.examples.facts import Argument, Facts
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.idle import idle
from rpgen.models.examples.repair_joint import IdleError
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Spec, normal, ones, tokens

CONFIG = SimpleNamespace(audio_token_id=7, image_token_id=9)
SOUND = {"input_ids": tokens((2, 4), 8), "input_features": normal(2, 128, 80)}


def failure(
    raising: Callable[[], object], specs: Mapping[str, Spec] = SOUND, now: Situation | None = None
) -> Failure:
    try:
        raising()
    except Exception as error:  # noqa: BLE001 (which one it is, torch decides)
        situation = now or Situation(tuple(specs))
        return Failure(error, Facts(None, CONFIG, {}), situation, specs)
    raise AssertionError("nothing was raised")


def raising(error: Exception) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def test_what_changes_nothing_gets_a_place_in_the_text() -> None:
    one = failure(raising(IdleError("image_pixel_values")))
    found = repair_joint.place_for_idle(one)
    assert found is not None
    assert set(found.places) == {"image"}


def test_places_are_as_many_as_the_message_says() -> None:
    told = "Placeholder tokens (0) and features (8) do not match for token id 7."
    found = repair_joint.place_for_token(failure(raising(ValueError(told))))
    assert found is not None
    assert found.places == {"audio": 4}


def test_a_sound_is_turned_where_its_axes_are_the_wrong_way_round() -> None:
    convolution = torch.nn.Conv1d(80, 4, 1)
    one = failure(lambda: convolution(torch.zeros(2, 128, 80)))
    found = repair_joint.sound_turned(one)
    assert found is not None
    assert found.turned
    assert repair_joint.sound_turned(failure(raising(one.error), now=found)) is None


def test_a_sound_has_the_length_that_is_told_and_else_is_turned() -> None:
    error = ValueError("expects a multiple of `n_window * 2` (100), but got 128")
    first = repair_joint.sound_as_told(failure(raising(error)))
    assert first is not None
    assert first.samples == 200
    second = repair_joint.sound_as_told(failure(raising(error), now=first))
    assert second is not None
    assert second.turned


def test_a_mask_selects_among_what_was_made_of_the_sound() -> None:
    features, input_features_mask = torch.zeros(2, 27, 8), torch.ones(2, 128, dtype=torch.bool)
    specs = {**SOUND, "input_features_mask": ones(2, 128)}
    found = repair_joint.mask_as_told(failure(lambda: features[input_features_mask], specs))
    assert found is not None
    assert found.fixes == {"input_features_mask": ((128, 27, 1),)}


def test_a_mask_of_two_axes_is_of_pictures() -> None:
    pixel_mask = torch.ones(2, 8, 8)

    def unpack() -> None:
        rows, pictures = pixel_mask.shape  # noqa: RUF059 (it raises)

    found = repair_joint.fewer_axes(failure(unpack, {"pixel_mask": ones(2, 8, 8)}))
    assert found is not None
    assert (found.axes, found.pixel_rank) == ({"pixel_mask": 2}, 5)


class Deaf(torch.nn.Module):
    """Reads a text and takes a sound that it does nothing with."""

    device, dtype = torch.device("cpu"), torch.float32

    def forward(self, input_ids: torch.Tensor, input_features: torch.Tensor) -> Any:
        return {"logits": input_ids.float() + 0 * input_features.sum()}


def test_an_input_without_a_say_is_told() -> None:
    facts = Facts(None, CONFIG, {})
    said = idle(Deaf(), facts, SOUND, {"input_features"})
    assert said is not None
    assert said.name == "input_features"
    assert idle(Deaf(), facts, SOUND, {"input_ids"}) is None


def test_a_table_is_as_long_as_the_ids_that_another_part_writes() -> None:
    tree = {"speech": SimpleNamespace(vocab_size=16), "decoder": SimpleNamespace(vocab_size=64)}
    table = torch.nn.Embedding(16, 4)
    one = failure(lambda: table(torch.tensor([40])))
    assert list(longer_table(tree, one.error)) == [("speech.vocab_size", 64)]


def test_heads_are_as_wide_as_what_is_rotated() -> None:
    tree = {"text": SimpleNamespace(num_attention_heads=12, hidden_size=96)}
    one = failure(lambda: torch.zeros(1, 1, 1, 8) * torch.zeros(1, 1, 1, 32))
    assert list(fewer_heads(tree, one.error)) == [("text.num_attention_heads", 3)]


def test_one_part_reads_as_many_codes_as_the_other_writes() -> None:
    tree = {"decoder": SimpleNamespace(num_codebooks=4), "audio_encoder": SimpleNamespace()}
    one = failure(lambda: torch.zeros(200).reshape(8, 50))
    assert list(fewer_codebooks(tree, one.error)) == [("decoder.num_codebooks", 2)]


def test_what_a_decoder_begins_with_is_not_given_where_it_hides_a_sound() -> None:
    def idle_sound() -> None:
        raise repair_joint.IdleError("input_values")

    one = failure(idle_sound, now=Situation(("input_ids", "input_values", "decoder_input_ids")))
    asked = {"decoder_input_ids": Argument("decoder_input_ids", False, None, "")}
    offer = repair_joint.instead_of_decoder_ids(
        replace(one, facts=replace(one.facts, arguments=asked))
    )
    assert offer is not None
    assert offer.names == ("input_ids", "input_values")


def test_the_head_that_takes_text_and_sound_comes_first() -> None:
    both = ["AutoModelForCausalLM", "MoshiForConditionalGeneration"]
    kinds = ("text", "audio")
    assert fullest_heads_first("moshi", both, kinds) == both[::-1]
    assert fullest_heads_first("no_such_type", both, ()) == both


def test_a_head_that_hands_pictures_on_comes_before_a_part_of_it() -> None:
    heads = ["AutoModelForImageTextToText", "DiffusionGemmaEncoderModel"]
    assert fullest_heads_first("diffusion_gemma", heads, ("text", "image")) == heads


def test_a_class_for_a_part_is_told_and_comes_last() -> None:
    heads = ["Gemma3nForCausalLM", "AutoModelForImageTextToText"]
    assert fullest_heads_first("gemma3n", heads, ("text", "image", "audio")) == heads[::-1]
    told = "Gemma3nForCausalLM is made for Gemma3nTextConfig, a part of Gemma3nConfig"
    assert part_told("gemma3n", heads[0]) == f"only a part: {told}"
    assert part_told("gemma3n_text", heads[0]) == ""


def test_a_part_is_known_to_hear_by_its_role() -> None:
    full = tiny.full_config("qwen3_asr", {})
    config = tiny.step_config(full, tiny.figures_of(full), 0, {})
    assert config.audio_config.output_dim == config.text_config.hidden_size


def test_a_bound_that_is_left_open_is_no_broken_weight() -> None:
    model = torch.nn.Linear(2, 2)
    model.input_min = torch.nn.Buffer(torch.tensor(-torch.inf))
    assert_whole(model)
    model.running_mean = torch.nn.Buffer(torch.tensor([torch.inf, 0.0]))
    with pytest.raises(AssertionError, match="running_mean"):
        assert_whole(model)
