"""Tiny models and what belongs to them: the same structure, small, the same every time."""

from typing import Any

import pytest
import torch

from rpgen.errors import MissingPackageError, ModelUnavailableError, UsageError
from rpgen.models import Checkpoint, inputs, tiny
from rpgen.models.example_inputs import example_inputs
from rpgen.models.recipe import recipe_of
from rpgen.models.shrink import LADDER, shrunk
from rpgen.models.shrink_fit import nodes
from rpgen.models.tiny_tokenizers import build_tokenizer

TEXT = [
    ("bert", "AutoModelForMaskedLM"), ("roberta", "AutoModelForMaskedLM"),
    ("distilbert", "AutoModelForMaskedLM"), ("gpt2", "AutoModelForCausalLM"),
    ("llama", "AutoModelForCausalLM"), ("qwen2", "AutoModelForCausalLM"),
    ("t5", "AutoModelForSeq2SeqLM"), ("bart", "AutoModelForSeq2SeqLM"),
    ("qwen3_moe", "AutoModelForCausalLM"), ("mamba", "AutoModelForCausalLM"),
    ("deberta-v2", "AutoModelForMaskedLM"), ("modernbert", "AutoModelForMaskedLM"),
]  # fmt: skip
IMAGES = [
    ("vit", "AutoModelForImageClassification"), ("resnet", "AutoModelForImageClassification"),
    ("detr", "AutoModelForObjectDetection"), ("segformer", "AutoModelForSemanticSegmentation"),
    ("dpt", "AutoModelForDepthEstimation"), ("swin", "AutoModelForImageClassification"),
]  # fmt: skip


def checkpoint(model_type: str, auto_class: str) -> Checkpoint:
    return Checkpoint(f"nobody/{model_type}", auto_class, model_type=model_type, weights="tiny")


def forward(model: Any, given: Any) -> Any:
    if model.config.is_encoder_decoder:
        start = model.config.decoder_start_token_id
        given["decoder_input_ids"] = torch.full((2, 1), start)
    with torch.no_grad():
        return model(**given)


@pytest.mark.parametrize(("model_type", "auto_class"), TEXT)
def test_text(model_type: str, auto_class: str) -> None:
    one = checkpoint(model_type, auto_class)
    model, tokenizer = one.load_model(), one.load_tokenizer()
    assert not model.training
    assert model.dtype == torch.float32
    assert model.num_parameters() <= tiny.LARGEST_TINY
    assert one.estimate().parameters == model.num_parameters()
    assert len(tokenizer) == model.config.vocab_size
    batch = inputs.text_inputs(tokenizer, 2)
    assert int(batch["input_ids"].max()) < model.config.vocab_size
    assert torch.isfinite(forward(model, batch).logits).all()


@pytest.mark.parametrize(("model_type", "auto_class"), [each for each in TEXT if "LM" in each[1]])
def test_token_ids_are_all_within_the_vocabulary(model_type: str, auto_class: str) -> None:
    config = tiny.tiny_config(model_type, None, auto_class)
    model = tiny.tiny_model(config, auto_class)
    for holder in (config, getattr(model, "generation_config", None)):
        for role in ("pad", "bos", "eos", "decoder_start"):
            value = getattr(holder, f"{role}_token_id", None)
            for each in value if isinstance(value, list) else [value]:
                assert each is None or 0 <= each < config.vocab_size
    if config.is_encoder_decoder:
        assert config.decoder_start_token_id is not None


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen2", "t5", "bart"])
def test_generation(model_type: str) -> None:
    seq2seq = model_type in ("t5", "bart")
    auto_class = "AutoModelForSeq2SeqLM" if seq2seq else "AutoModelForCausalLM"
    one = checkpoint(model_type, auto_class)
    model, tokenizer = one.load_model(), one.load_tokenizer()
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    made = model.generate(**prompt, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    assert made.shape[1] == 4 + (1 if seq2seq else prompt["input_ids"].shape[1])
    assert isinstance(tokenizer.decode(made[0]), str)


@pytest.mark.parametrize(("model_type", "auto_class"), IMAGES)
def test_images(model_type: str, auto_class: str) -> None:
    one = checkpoint(model_type, auto_class)
    model, processor = one.load_model(), one.load_image_processor()
    assert model.num_parameters() <= tiny.LARGEST_TINY
    assert type(processor).__name__.endswith("Pil")
    with torch.no_grad():
        found = model(**inputs.image_inputs(processor, 2))
    assert all(torch.isfinite(v).all() for v in found.values() if isinstance(v, torch.Tensor))


def test_speech() -> None:
    whisper = checkpoint("whisper", "AutoModelForSpeechSeq2Seq")
    model, processor = whisper.load_model(), whisper.load_processor()
    features = inputs.audio_inputs(processor.feature_extractor, 2)
    made = model.generate(**features, max_new_tokens=3)
    assert made.shape[0] == 2
    assert len(processor.batch_decode(made, skip_special_tokens=True)) == 2
    letters = checkpoint("wav2vec2", "AutoModelForCTC")
    extractor = letters.load_feature_extractor()
    with torch.no_grad():
        logits = letters.load_model()(**inputs.audio_inputs(extractor, 2)).logits
    assert logits.shape[-1] == len(letters.load_tokenizer())
    assert all(isinstance(t, str) for t in letters.load_tokenizer().batch_decode(logits.argmax(-1)))


@pytest.mark.parametrize(
    ("model_type", "auto_class"),
    [
        ("clip", "AutoModel"), ("llava", "AutoModelForImageTextToText"),
        ("blip-2", "AutoModelForImageTextToText"), ("gemma3", "AutoModelForImageTextToText"),
    ],
)  # fmt: skip
def test_text_and_images_together(model_type: str, auto_class: str) -> None:
    one = checkpoint(model_type, auto_class)
    model, processor = one.load_model(), one.load_processor()
    both = inputs.joint(processor, ("text", "image"))
    assert {"input_ids", "pixel_values"} <= set(both)
    with torch.no_grad():
        assert model(**both) is not None


def test_a_text_alone_is_another_for_each_seed_and_the_same_beside_pictures() -> None:
    one = checkpoint("clip", "AutoModel").load_processor()
    texts, both = (
        [inputs.joint(one, kinds, seed)["input_ids"].tolist() for seed in (0, 1)]
        for kinds in (("text",), ("text", "image"))
    )
    assert texts[0] != texts[1]
    assert both[0] == both[1]


def test_pictures_are_not_given_to_what_takes_none() -> None:
    tokenizer = checkpoint("bert", "AutoModel").load_tokenizer()
    with pytest.raises(UsageError, match="does not take text and image in one call"):
        inputs.joint(tokenizer, ("text", "image"))


def test_labels_that_ask_for_nothing_are_not_asked() -> None:
    given = {"input_ids": torch.ones(1, 3), "labels": torch.full((1, 3), -100)}
    assert set(inputs.without_empty_labels(dict(given))) == {"input_ids"}
    given["labels"][0, 1] = 7
    assert set(inputs.without_empty_labels(dict(given))) == {"input_ids", "labels"}


def test_a_text_gets_the_end_that_stands_for_it() -> None:
    model = checkpoint("bart", "AutoModelForSequenceClassification").load_model()
    ids = example_inputs(model)["input_ids"]
    assert (ids == model.config.eos_token_id).sum(1).tolist() == [1, 1]


def test_the_same_model_every_time_and_no_random_number_used() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one = checkpoint("bert", "AutoModelForMaskedLM").load_model()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(8)
    other = checkpoint("bert", "AutoModelForMaskedLM").load_model()
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


def test_nothing_global_is_left_changed() -> None:
    from transformers.utils import logging

    before = (torch.get_default_dtype(), logging.get_verbosity(), logging.is_progress_bar_enabled())
    model = checkpoint("gpt2", "AutoModelForCausalLM").load_model(dtype="bf16")
    assert model.dtype == torch.bfloat16
    assert before == (
        torch.get_default_dtype(),
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
    )


def test_an_own_configuration_keeps_its_structure() -> None:
    own = {"hidden_size": 576, "num_attention_heads": 9, "num_key_value_heads": 3,
           "num_hidden_layers": 30, "intermediate_size": 1536, "vocab_size": 49152,
           "bos_token_id": 1, "eos_token_id": 49151, "pad_token_id": 2}  # fmt: skip
    config = tiny.tiny_config("llama", own, "AutoModelForCausalLM")
    assert (config.num_attention_heads, config.num_key_value_heads) == (9, 3)
    assert config.hidden_size % 9 == 0
    assert (config.bos_token_id, config.pad_token_id) == (1, 2)
    assert config.eos_token_id == config.vocab_size - 1
    assert own["hidden_size"] == 576


def test_one_layer_of_each_kind_stays() -> None:
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    small = shrunk(
        {"model_type": "x", "num_hidden_layers": 12, "layer_types": kinds * 2}, LADDER[0]
    )
    assert small["num_hidden_layers"] == len(small["layer_types"])
    assert set(small["layer_types"]) == set(kinds)


def test_one_round_of_a_pattern_of_layers_stays() -> None:
    pattern = ["recurrent", "recurrent", "attention"]
    figures = {"model_type": "x", "num_hidden_layers": 26, "block_types": pattern}
    assert shrunk(figures, LADDER[0])["num_hidden_layers"] == 3
    assert shrunk({**figures, "num_hidden_layers": 2}, LADDER[0])["num_hidden_layers"] == 2


def test_states_that_are_hooked_are_of_layers_that_are_left() -> None:
    part = {"model_type": "dinov2", "num_hidden_layers": 24}
    figures = {"model_type": "x", "intermediate_hook_ids": [11, 5], "patch_model_config": part}
    assert shrunk(figures, LADDER[0])["intermediate_hook_ids"] == [1, 1]


def test_a_vocoder_has_a_channel_left_after_its_last_step_up() -> None:
    figures = {
        "model_type": "x",
        "upsample_rates": [5, 4, 4, 2, 2],
        "upsample_initial_channel": 512,
    }
    for rung in LADDER:
        assert shrunk(figures, rung)["upsample_initial_channel"] >= 2**5


def test_random_weights_are_not_quantized() -> None:
    full = tiny.full_config("inkling2", {})
    full.text_config.quantization_config = {"quant_method": "fp8"}
    figures = tiny.figures_of(full)
    assert "quantization_config" not in figures
    assert "quantization_config" not in figures["text_config"]
    small = tiny.step_config(full, figures, 8, {})
    assert getattr(small, "quantization_config", None) is None


def test_a_forecast_reads_a_short_series() -> None:
    figures = {"context_length": 16384, "horizon_length": 128}
    assert shrunk(figures, LADDER[3])["context_length"] == 512
    assert shrunk({**figures, "context_length": 96}, LADDER[3])["context_length"] == 96
    assert shrunk({"context_length": 16384}, LADDER[3])["context_length"] == 16384


def test_a_token_id_moves_with_every_mention_of_it() -> None:
    figures = {
        "model_type": "whole", "image_token_index": 31999,
        "text_config": {"model_type": "t", "vocab_size": 32000, "eos_token_id": [2, 31999]},
    }  # fmt: skip
    small = shrunk(figures, LADDER[0])
    text = small["text_config"]
    assert small["image_token_index"] == text["eos_token_id"][1] < text["vocab_size"]
    assert text["eos_token_id"][0] == 2
    assert len(list(nodes(small))) == 2


def test_a_tokenizer_gives_every_text_back() -> None:
    tokenizer = build_tokenizer(tiny.tiny_config("gpt2", None, "AutoModelForCausalLM"))
    for text in (*inputs.example_sentences(7), "Grüße, 世界! 🙂\n\tx", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_an_alphabet_without_room_for_capitals_reads_them_as_small_ones() -> None:
    config = tiny.tiny_config("esm", {"vocab_size": 33}, "AutoModelForMaskedLM")
    tokenizer = build_tokenizer(config)
    said = tokenizer.decode(tokenizer("One Zebra")["input_ids"], skip_special_tokens=True)
    assert said == "one zebra"


def test_special_tokens_sit_where_the_configuration_says() -> None:
    config = tiny.tiny_config("roberta", None, "AutoModelForMaskedLM")
    tokenizer = build_tokenizer(config)
    ids = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    assert ids == (config.bos_token_id, config.pad_token_id, config.eos_token_id)
    encoded = tokenizer("a word")["input_ids"]
    assert (encoded[0], encoded[-1]) == (ids[0], ids[2])
    assert tokenizer.mask_token_id is not None


def test_an_unknown_architecture_is_said() -> None:
    with pytest.raises(ModelUnavailableError, match="no architecture 'gpt99'"):
        checkpoint("gpt99", "AutoModel").load_model()


def test_a_head_that_the_architecture_lacks_is_said() -> None:
    with pytest.raises(ModelUnavailableError, match="AutoModelForCTC"):
        checkpoint("vit", "AutoModelForCTC").load_model()
    with pytest.raises(UsageError, match="AutoModelForNothing"):
        checkpoint("vit", "AutoModelForNothing").load_model()
    with pytest.raises(ModelUnavailableError, match="no image processor"):
        checkpoint("bert", "AutoModel").load_image_processor()


def test_a_class_may_be_named_instead_of_a_head() -> None:
    model = checkpoint("speecht5", "SpeechT5ForTextToSpeech").load_model()
    assert type(model).__name__ == "SpeechT5ForTextToSpeech"


def test_videos_need_torchvision() -> None:
    pytest.importorskip("transformers")
    try:
        import torchvision  # noqa: F401
    except ImportError:
        with pytest.raises(MissingPackageError, match="torchvision"):
            checkpoint("qwen2_vl", "AutoModelForImageTextToText").load_processor()
    else:
        pytest.skip("torchvision is here")


def test_parts_that_go_on_where_a_text_ends_do_so_in_a_smaller_vocabulary() -> None:
    def part(**figures: int) -> dict[str, Any]:
        return {"model_type": "some", **figures}

    parts = {
        "vision_config": part(vocab_size=128, vocab_offset=262_144),
        "audio_config": part(vocab_size=128, vocab_offset=262_272),
    }
    small = shrunk({**parts, "text_config": part(vocab_size=262_400)}, LADDER[0])
    assert small["audio_config"]["vocab_offset"] + 128 == small["text_config"]["vocab_size"]
    assert small["vision_config"]["vocab_offset"] + 128 == small["audio_config"]["vocab_offset"]


def test_examples_have_structure_and_come_from_the_seed() -> None:
    import numpy as np

    one, same, other = (np.asarray(inputs.example_image((40, 30), s)) for s in (1, 1, 2))
    assert one.shape == (30, 40, 3)
    assert (one == same).all()
    assert (one != other).any()
    assert one.std() > 20
    sound = inputs.example_sound(0.5, 8000, 3)
    assert (sound.shape, sound.dtype) == ((4000,), np.float32)
    assert abs(sound).max() <= 1
    assert sound.std() > 0.1
    lengths = {len(text) for text in inputs.example_sentences(5)}
    assert len(lengths) == 5
    assert len(set(inputs.example_sentences(12))) == 12


def test_a_type_alone_is_no_figure_of_its_own() -> None:
    alone = tiny.tiny_config("jamba", {"model_type": "jamba"}, "AutoModelForCausalLM")
    assert alone.to_dict() == tiny.tiny_config("jamba", None, "AutoModelForCausalLM").to_dict()
    assert "attention" in alone.layers_block_type


def test_what_figures_leave_open_is_as_the_type_needs_it() -> None:
    recipe = recipe_of("dbrx")
    assert recipe is not None
    assert recipe.settings
    known = tiny._left_open(recipe, {"model_type": "dbrx"})
    assert known == recipe.settings
    path = next(iter(recipe.settings))
    own: Any = 7
    for name in reversed(path.split(".")):
        own = {name: own}
    assert path not in tiny._left_open(recipe, own)
    assert tiny._left_open(None, {}) == {}


def test_the_weights_of_a_model_with_figures_of_its_own_begin_as_those_that_work() -> None:
    own = {"num_labels": 7, "model_type": "efficientnet"}
    found = tiny.tiny_config("efficientnet", own, "AutoModelForImageClassification")
    recipe = recipe_of("efficientnet")
    assert recipe is not None
    assert found.num_labels == 7
    assert {name: getattr(found, name) for name in recipe.settings} == recipe.settings
