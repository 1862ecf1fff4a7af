"""Films beside pictures and sounds in one call, each with places of its own in the text."""

from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedConfig

from rpgen.models import tiny
from rpgen.models.examples import repair_films
from rpgen.models.examples.apart import apart
from rpgen.models.examples.facts import Argument, Facts, facts_of
from rpgen.models.examples.failure import Failure
from rpgen.models.examples.guess_pictures import MAKERS
from rpgen.models.examples.guess_text import input_ids, kinds_of_tokens
from rpgen.models.examples.repair_joint import IdleError
from rpgen.models.examples.search import Level, search
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import normal, tokens
from rpgen.models.load import built_model
from rpgen.models.recipe import recipe_of
from rpgen.refresh_database.mappings import RawType, read_inputs

MARKED = PreTrainedConfig(image_token_id=9, video_start_token_id=7, video_end_token_id=8)
HEAD = "AutoModelForImageTextToText"
NAMES = ("input_ids", "pixel_values", "pixel_values_videos")


def facts(config: object = MARKED, **texts: str) -> Facts:
    return Facts(None, config, {name: Argument(name, False, None, texts.get(name, ""))
                                for name in NAMES})  # fmt: skip


def failure(error: Exception, now: Situation, given: Facts | None = None) -> Failure:
    specs = {"input_ids": tokens((2, 12), 8), "pixel_values_videos": normal(2, 4, 3, 8, 8)}
    return Failure(error, given or facts(), now, specs)


def model_of(model_type: str) -> object:
    recipe = recipe_of(model_type)
    assert recipe is not None
    full = tiny.full_config(model_type, {})
    config = tiny.step_config(full, tiny.figures_of(full), recipe.rung, recipe.settings)
    return built_model(config, recipe.auto_class)


@pytest.mark.parametrize(
    ("model_type", "kinds"),
    [
        ("qwen2_vl", ("text", "image", "video")),
        ("gemma3n", ("text", "image", "audio")),
        ("qwen2_5_omni_thinker", ("text", "image", "video", "audio")),
    ],
)
def test_every_kind_has_its_argument_and_its_places(
    model_type: str, kinds: tuple[str, ...]
) -> None:
    found, one = search(model_of(model_type))
    assert found is not None
    assert (found.kinds, found.level) == (kinds, Level.JOINT)
    runs = found.specs["input_ids"].runs
    assert len({token for _, _, token in runs}) == len(kinds) - 1
    assert not found.missing
    assert one.facts.has("pixel_values_videos") is ("video" in kinds)


@pytest.mark.parametrize(
    ("model_type", "told"),
    [("molmo2", "provided at the same time"), ("glm4v", "go to the same places")],
)
def test_what_no_call_holds_is_told_and_the_rest_is_together(model_type: str, told: str) -> None:
    found, _ = search(model_of(model_type))
    assert found is not None
    assert found.kinds == ("text", "image")
    assert (found.level, dict(found.missing)) == (Level.JOINT, {})
    assert told in found.limits["video"]


class Places(torch.nn.Module):
    """Pictures go to token 1, films to the one that is said."""

    def __init__(self, film: int) -> None:
        super().__init__()
        self.film, self.table = film, torch.nn.Embedding(4, 2)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.table

    def get_placeholder_mask(
        self, input_ids: torch.Tensor, inputs_embeds: torch.Tensor,
        image_features: object = None, video_features: object = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        return input_ids == 1, input_ids == self.film


@pytest.mark.parametrize(("film", "excluded"), [(1, True), (2, False)])
def test_kinds_in_the_same_places_exclude_each_other(film: int, excluded: bool) -> None:
    known = replace(facts(), model=Places(film))
    specs = {name: normal(1) for name in NAMES}
    pair = apart(IdleError("pixel_values"), known, specs)
    assert (pair is not None and pair[0] == {"image", "video"}) is excluded


def test_words_exclude_only_where_transformers_itself_says_them() -> None:
    specs = {name: normal(1) for name in NAMES}
    with pytest.raises(ValueError, match="at the same time") as raised:
        raise ValueError("pixel_values and pixel_values_videos are given at the same time")
    assert apart(raised.value, facts(), specs) is None


def test_what_is_handed_on_by_name_is_among_the_arguments() -> None:
    known = facts_of(model_of("diffusion_gemma"))
    assert known.has("pixel_values")
    assert known.has("image_position_ids")


def test_a_film_that_nobody_counts_stands_between_marks() -> None:
    now = Situation(NAMES, places={"image": 2, "video": 3})
    error = ValueError("Video features and video tokens do not match, tokens: 0, features: 6")
    offer = repair_films.film_between_marks(failure(error, now))
    assert offer is not None
    ids = input_ids(facts(), offer, {})
    assert ids.runs == ((1, 2, 9), (4, 1, 7), (5, 3, 9), (8, 1, 8))
    kinds = kinds_of_tokens(facts(), offer, {"input_ids": ids})
    assert [kind for *_, kind in kinds.runs] == [1, 0, 2, 0]
    assert repair_films.film_between_marks(failure(error, offer)) is None


def test_films_have_the_axes_that_their_model_orders() -> None:
    pixel_values_videos = torch.zeros(2, 4, 3, 8, 8)
    try:
        pixel_values_videos.permute(1, 2, 0, 3)
    except RuntimeError as error:
        offer = repair_films.film_rank_as_told(failure(error, Situation(NAMES)))
    assert offer is not None
    assert offer.film_rank == 4


def test_a_mask_that_picks_rows_is_one_of_truth_values() -> None:
    error = ValueError("Audio features and audio tokens do not match, tokens: 64, features: 64")
    offer = repair_films.mask_that_selects(failure(error, Situation(NAMES)))
    assert offer is not None
    assert offer.boolean_masks
    other = ValueError("Audio features and audio tokens do not match, tokens: 2, features: 64")
    assert repair_films.mask_that_selects(failure(other, Situation(NAMES))) is None


def test_bands_that_no_figure_tells_follow_from_what_comes_out() -> None:
    class AudioProjection(torch.nn.Linear):
        pass

    specs = {"input_ids": tokens((2, 12), 8), "input_features": normal(2, 128, 80)}
    with pytest.raises(RuntimeError) as raised:
        AudioProjection(8, 32)(torch.zeros(64, 160))
    one = Failure(raised.value, facts(PreTrainedConfig()), Situation(tuple(specs)), specs)
    assert repair_films.bands_in_proportion(one) is None  # nothing of transformers' that hears


def test_a_text_has_one_id_a_place_where_that_is_documented_too() -> None:
    forms = "of shape `(batch_size, length, num_codebooks) or (batch_size, length)`"
    ids = {"input_ids": tokens((2, 12, 4), 8)}
    one = failure(IdleError("input_values"), Situation(NAMES), facts(input_ids=forms))
    offer = repair_films.one_id_a_place(replace(one, specs=ids))
    assert offer is not None
    assert offer.flat
    assert repair_films.one_id_a_place(replace(one, specs=ids, facts=facts())) is None


def test_a_head_that_promises_pictures_takes_them_though_it_names_none() -> None:
    raw = RawType("diffusion_gemma", "diffusion_gemma", "DiffusionGemmaConfig",
                  {HEAD: "DiffusionGemmaForBlockDiffusion"})  # fmt: skip
    read_inputs(raw, HEAD)
    assert raw.inputs == ("text", "image")


@pytest.mark.parametrize(
    ("documented", "axes"),
    [(("num_videos", "num_frames", "max_patches", "2"), (2, 4, 144)),
     (("total_num_frames", "max_patches", "2"), (2, 144)),
     (None, (2, 144))],
)  # fmt: skip
def test_frames_have_an_axis_where_their_positions_are_documented_so(
    documented: tuple[str, ...] | None, axes: tuple[int, ...]
) -> None:
    names = {"image_position_ids": None, "video_position_ids": documented}
    known = {name: Argument(name, False, shape, "") for name, shape in names.items()}
    config = PreTrainedConfig(patch_size=2, num_channels=3, pooling_kernel_size=3)
    given = Facts(None, config, {**facts().arguments, **known})
    now = Situation(names=tuple(given.arguments))
    film = MAKERS["pixel_values_videos"](given, now, {})
    assert film.shape == (*axes, 12)
    places = MAKERS["video_position_ids"](given, now, {})
    assert torch.tensor(places.values).shape == (*axes, 2)
    assert MAKERS["pixel_values"](given, now, {}).shape == (2, 144, 12)


def test_patches_of_each_row_are_read_from_their_documentation() -> None:
    words = ("batch_size", "num_total_patches", "patch_size_ x patch_size x num_channels")
    known = {"image_patches": Argument("image_patches", False, words, "")}
    config = PreTrainedConfig(patch_size=5, num_channels=3)
    given = Facts(None, config, known, patches={"image_patches": words})
    made = MAKERS["image_patches"](given, Situation(names=("image_patches",)), {})
    assert made.shape == (2, 16, 75)
