"""Which kinds of input the arguments of a call hold, and in which order they are tried."""

import pytest

from rpgen.architectures.explore import missing_of
from rpgen.architectures.heads import kinds_wanted
from rpgen.models.examples.kinds import carriers, kind_of, kinds_of, spoken_of, together
from rpgen.models.examples.search import Found, Level
from rpgen.models.recipe import Recipe, from_plain, to_plain


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("input_ids", "text"),
        ("qformer_input_ids", "text"),
        ("audio_input_ids", "audio"),
        ("protein_input_ids", "protein"),
        ("pixel_values", "image"),
        ("image_patches", "image"),
        ("pixel_values_videos", "video"),
        ("input_features", "audio"),
        ("input_features_mask", None),
        ("video_grid_thw", None),
        ("attention_mask", None),
    ],
)
def test_an_argument_carries_a_kind_or_describes_one(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_the_kinds_of_a_call_stand_in_one_order() -> None:
    names = ["input_features", "pixel_values_videos", "video_grid_thw", "input_ids"]
    assert kinds_of(names) == ("text", "video", "audio")
    assert kinds_of(["query_embeds", "encoder_hidden_states"]) == ("text", "image")


def test_one_argument_of_each_kind_is_given_the_likeliest() -> None:
    names = ["pixel_values_videos", "input_values", "pixel_values", "flattened_patches"]
    found = {"image": "pixel_values", "video": "pixel_values_videos", "audio": "input_values"}
    assert carriers(names) == found


def test_all_kinds_are_tried_before_some() -> None:
    order = list(together(["image", "video", "audio"]))
    assert order[:2] == [("image", "video", "audio"), ("image", "video")]
    assert order[-1] == ("audio",)
    assert len(order) == 7


def test_words_of_films_are_not_taken_for_words_of_pictures() -> None:
    assert spoken_of("pixel_values_videos") == "video"
    assert spoken_of("Image features and image tokens do not match") == "image"
    assert spoken_of("inputs_embeds[audio_token_mask] = audio_embeds") == "audio"
    assert spoken_of("nothing of the kind") is None


def test_only_what_text_comes_with_is_wanted_together() -> None:
    assert kinds_wanted(["text", "image", "video"]) == ("text", "image", "video")
    assert kinds_wanted(["image", "video"]) == ()
    assert kinds_wanted(["text", "time_series"]) == ()


def test_joint_is_a_call_without_anything_missing() -> None:
    some = Found({}, 1, ("text", "image"), {"video": "ValueError: not both"})
    assert some.level is Level.FORWARD
    assert Found({}, 1, ("text", "image")).level is Level.JOINT
    assert Found({}, 1, ("text",)).level is Level.FORWARD


def test_each_missing_kind_is_told_with_its_reason() -> None:
    some = Found({}, 1, ("text", "image"), {"video": "ValueError: not both"})
    wanted = ("text", "image", "video", "audio")
    absent = "audio: this head has no argument for it"
    assert missing_of(some, wanted) == f"video: ValueError: not both; {absent}"
    assert missing_of(some, ("text", "image")) == ""


def test_a_recipe_keeps_its_kinds() -> None:
    recipe = Recipe("AutoModel", 3, levels=("forward",), kinds=("text", "image"))
    assert to_plain(recipe)["kinds"] == ["text", "image"]
    assert from_plain(to_plain(recipe)) == recipe
