"""Classification by name alone, on names that the database doesn't know as models."""

import pytest

from rpgen.classification import ModelFacts, classify
from rpgen.classification.name_index import has_size, plain_name, tokens
from rpgen.families import Classification, Family, Subfamily
from rpgen.model_database import load

E, G, V, A, M = Family

ONE_INSIDE_ANOTHER = {
    "distilbert-x": (E, "distilbert"),
    "bert-x": (E, "bert"),
    "xlm-roberta-x": (E, "xlm-roberta"),
    "roberta-x": (E, "roberta"),
    "speecht5_x": (A, "speecht5"),
    "t5-x": (G, "t5"),
    "mt5-x": (G, "mt5"),
    "flan-t5-x": (G, "t5"),
    "layoutlm-x": (M, "layoutlm"),
    "layoutlmv3-x": (M, "layoutlmv3"),
    "clipseg-x": (M, "clipseg"),
    "clip-vit-x": (M, "clip"),
    "chinese-clip-x": (M, "chinese_clip"),
    "blip-2-flan-t5": (M, "blip-2"),
    "blip2-opt-x": (M, "blip-2"),
    "blip-x": (M, "blip"),
    "instructblip-vicuna-x": (M, "instructblip"),
    "llama3-llava-next-8b": (M, "llava_next"),
    "llava-onevision-qwen2-x": (M, "llava_onevision"),
    "qwen2-audio-x": (A, "qwen2_audio"),
    "qwen2-vl-x": (M, "qwen2_vl"),
    "qwen2.5-vl-x": (M, "qwen2_5_vl"),
    "qwen2.5-x": (G, "qwen2"),
    "gemma-2b-x": (G, "gemma"),
    "gemma-2-2b-x": (G, "gemma2"),
    "wav2vec2-bert-x": (A, "wav2vec2-bert"),
    "wav2vec2-x": (A, "wav2vec2"),
    "deit-x": (V, "deit"),
    "vit-x": (V, "vit"),
    "vit-mae-x": (V, "vit_mae"),
    "swinv2-x": (V, "swinv2"),
    "detr-resnet-50-x": (V, "detr"),
    "mask2former-swin-x": (V, "mask2former"),
    "gpt-neox-x": (G, "gpt_neox"),
    "gpt-neo-zz": (G, "gpt_neo"),
    "gpt-j-x": (G, "gptj"),
    "gpt2-image-captioning": (M, "vision-encoder-decoder"),
    "vit-gpt2-x": (M, "vision-encoder-decoder"),
    "trocr-x": (M, "vision-encoder-decoder"),
    "deberta-v3-x": (E, "deberta-v2"),
    "opus-mt-xx-yy": (G, "marian"),
    "mms-tts-xyz": (A, "vits"),
    "sam2.1-x": (V, "sam2"),
    "biobert-x": (E, "bert"),
    "codellama-x": (G, "llama"),
    "distilgpt2-x": (G, "gpt2"),
    "ast-finetuned-x": (A, "audio-spectrogram-transformer"),
}

TURNED = {
    "mistral-7b-embed": (E, Subfamily.SENTENCE_TRANSFORMER, "AutoModel"),
    "e5-mistral-7b-x": (E, Subfamily.SENTENCE_TRANSFORMER, "AutoModel"),
    "bert-x-ner": (E, Subfamily.TOKEN_CLASSIFIER, "AutoModelForTokenClassification"),
    "roberta-x-sentiment": (E, None, "AutoModelForSequenceClassification"),
    "bert-x-squad": (E, None, "AutoModelForQuestionAnswering"),
    "llama-x-chat": (G, Subfamily.CHAT_MODEL, "AutoModelForCausalLM"),
    "mixtral-x-instruct": (G, Subfamily.CHAT_MODEL, "AutoModelForCausalLM"),
    "flan-t5-x-chat": (G, Subfamily.SEQ2SEQ, "AutoModelForSeq2SeqLM"),
    "phi-3-vision-x": (M, Subfamily.VISION_LANGUAGE, None),
    "beit-x-segmentation": (V, Subfamily.SEGMENTATION, "AutoModelForSemanticSegmentation"),
    "dpt-x-depth": (V, Subfamily.DEPTH_ESTIMATION, "AutoModelForDepthEstimation"),
    "hubert-x-emotion": (A, Subfamily.AUDIO_CLASSIFIER, "AutoModelForAudioClassification"),
    "vit-x-emotion": (V, Subfamily.IMAGE_CLASSIFIER, "AutoModelForImageClassification"),
    "layoutlmv2-x-docvqa": (M, Subfamily.DOCUMENT_QA, "AutoModelForDocumentQuestionAnswering"),
    "sentence-transformers/bert-x": (E, Subfamily.SENTENCE_TRANSFORMER, "AutoModel"),
    "cross-encoder/electra-x": (E, None, "AutoModelForSequenceClassification"),
    "gemma3-x-embedding": (E, Subfamily.SENTENCE_TRANSFORMER, "AutoModel"),
    "gemma-3-x-text": (G, Subfamily.CAUSAL_LM, None),
    "clip-x-text": (E, None, None),
    "clip-x-vision": (V, None, None),
    "splade-V-large": (E, Subfamily.SENTENCE_TRANSFORMER, None),
}


def said(name: str) -> Classification:
    return classify(ModelFacts(name if "/" in name else f"someone/{name}"), load())


@pytest.mark.parametrize("name", ONE_INSIDE_ANOTHER)
def test_the_longest_name_wins(name: str) -> None:
    answer = said(name)
    assert (answer.family, answer.model_type) == ONE_INSIDE_ANOTHER[name]
    assert answer.source == "name"
    assert 0.5 <= answer.confidence <= 0.8


@pytest.mark.parametrize("name", TURNED)
def test_words_beside_the_architecture(name: str) -> None:
    answer = said(name)
    assert (answer.family, answer.subfamily, answer.auto_class) == TURNED[name]


def test_an_ordinary_word_counts_only_at_the_start() -> None:
    assert said("bark-x").model_type == "bark"
    assert said("tree-bark-x").family is None
    assert said("llama-x-4bit").model_type == "llama"


def test_words_without_an_architecture() -> None:
    assert said("best-sentence-embedding").subfamily is Subfamily.SENTENCE_TRANSFORMER
    assert said("yolov8n-x").family is V
    assert said("qzx-chat-7b").subfamily is Subfamily.CHAT_MODEL
    large = said("qzx-70b")
    assert (large.family, large.confidence) == (G, 0.3)


@pytest.mark.parametrize("name", ["", " ", "/", "//", "🤖", "-", "7b", "\x00", "a" * 5000])
def test_names_of_nothing_are_answered(name: str) -> None:
    answer = classify(ModelFacts(name), load())
    assert 0 <= answer.confidence <= 0.5


def test_names_are_read_in_words() -> None:
    assert tokens("Qwen/Qwen2.5-VL-72B-Instruct") == ("qwen", "2", "5", "vl", "instruct")
    assert tokens("mistralai/Mixtral-8x7B-v0.1") == ("mixtral", "v", "0", "1")
    assert tokens("x/tiny-random-RoFormerForMaskedLM")[2:] == ("roformer", "for", "maskedlm")
    assert plain_name("a/b/SmolLM2-135M-Instruct.Q4_K_M.gguf") == "smollm2-135m-instruct"
    assert plain_name("x/bert-base") == "bert-base"
    assert has_size("qwen3-30B-A3B")
    assert not has_size("wav2vec2-base-960h")


def test_every_architecture_is_found_under_its_own_name() -> None:
    """An architecture with a model class is taken for itself or for one of its family. trocr is
    the type of a decoder, and the name of models that hold it."""
    database = load()
    wrong = [
        (one.model_type, answer.family, answer.model_type)
        for one in database.architectures()
        if one.auto_class and one.model_type != "trocr"
        for answer in [classify(ModelFacts(f"someone/{one.model_type}"), database)]
        if answer.family is not one.family
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "family"),
    {
        "zz/omniASR-x": A,
        "zz/Omni-x": M,
        "zz/HawkVL-2B": M,
        "zz-mllm/thinker-8B": M,
        "zz/mineralimage5K": V,
        "zz/vision-transformer-x": V,
        "zz/resnet-speech-commands": A,
        "zz/pulse-7bv5": G,
        "zz/w2v-x": A,
        "zz/my-awesome-model": None,
        "zz/my-detr-r50": V,
        "zz/my-glm4-x": G,
        "zz/ColMinistral3-3b": M,
        "zz/ColBERT-x": E,
        "zz/qqmt-ja-en": G,
        "zz/Mistral-7B-PairRM-DPO": G,
        "zz/Mistral-7B-RM": E,
        "zz/4x-qqqq": V,
        "zz/qqqqlm": G,
        "zz/qqqqvlm": M,
        "zz/t5-base-paraphrase": G,
        "zz/t5-base-embed": E,
    }.items(),
)
def test_words_inside_others_and_of_the_maker(name: str, family: Family | None) -> None:
    assert classify(ModelFacts(name), load()).family is family
