"""The figures of well-known models: built on the meta device, they have the published sizes."""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import pytest

from rpgen.model_database import KnownModel, load
from rpgen.refresh_database import count

# Millions of parameters as commonly given for the model, many of them rounded. Written down
# from general knowledge, not read from a page. Left out are models whose tested head counts
# differently: albert and mobilebert (pooler, wider head), and the v1.1 kind of t5, whose output
# layer this transformers ties to the embeddings (flan-t5-base 223 M here, 248 M on disk).
PUBLISHED: dict[str, float] = {
    "bert-base-uncased": 110,
    "bert-base-cased": 108.3,
    "bert-large-uncased": 335.2,
    "bert-base-multilingual-cased": 178,
    "prajjwal1/bert-tiny": 4.4,
    "distilbert-base-uncased": 66.98,
    "distilbert-base-multilingual-cased": 135,
    "roberta-base": 124.7,
    "roberta-large": 355.4,
    "distilroberta-base": 82.2,
    "xlm-roberta-base": 278,
    "xlm-roberta-large": 560,
    "google/electra-small-discriminator": 13.5,
    "microsoft/deberta-v3-base": 184.4,
    "microsoft/deberta-v3-small": 141.9,
    "microsoft/deberta-v3-large": 435,
    "camembert-base": 110.6,
    "answerdotai/ModernBERT-base": 149.6,
    "answerdotai/ModernBERT-large": 395.8,
    "microsoft/mpnet-base": 109.5,
    "facebook/esm2_t6_8M_UR50D": 7.5,
    "facebook/esm2_t33_650M_UR50D": 651,
    "sentence-transformers/all-MiniLM-L6-v2": 22.7,
    "sentence-transformers/all-MiniLM-L12-v2": 33.4,
    "sentence-transformers/all-mpnet-base-v2": 109.5,
    "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2": 118,
    "BAAI/bge-small-en-v1.5": 33.4,
    "BAAI/bge-large-en-v1.5": 335.1,
    "BAAI/bge-m3": 568,
    "Qwen/Qwen3-Embedding-0.6B": 595.8,
    "sentence-transformers/LaBSE": 471,
    "dslim/bert-base-NER": 107.7,
    "gpt2": 124.44,
    "gpt2-medium": 354.8,
    "gpt2-large": 774,
    "gpt2-xl": 1557.6,
    "distilgpt2": 81.9,
    "EleutherAI/gpt-neo-125m": 125.2,
    "EleutherAI/gpt-neo-1.3B": 1315.6,
    "EleutherAI/gpt-j-6b": 6050,
    "EleutherAI/gpt-neox-20b": 20554,
    "EleutherAI/pythia-70m": 70.4,
    "EleutherAI/pythia-160m": 162.3,
    "EleutherAI/pythia-410m": 405.3,
    "facebook/opt-125m": 125.2,
    "facebook/opt-350m": 331.2,
    "facebook/opt-1.3b": 1315.8,
    "bigscience/bloom-560m": 559.2,
    "bigscience/bloom-7b1": 7069,
    "meta-llama/Llama-2-7b-hf": 6738.4,
    "meta-llama/Llama-2-13b-hf": 13016,
    "meta-llama/Llama-2-70b-hf": 68977,
    "meta-llama/Meta-Llama-3-8B": 8030,
    "meta-llama/Llama-3.1-70B-Instruct": 70554,
    "meta-llama/Llama-3.2-1B": 1235.8,
    "meta-llama/Llama-3.2-3B": 3212.7,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1100,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134.5,
    "HuggingFaceTB/SmolLM2-360M": 361.8,
    "HuggingFaceTB/SmolLM2-1.7B": 1711.4,
    "mistralai/Mistral-7B-v0.1": 7241.7,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 46702.8,
    "Qwen/Qwen2.5-0.5B": 494,
    "Qwen/Qwen2.5-1.5B": 1543.7,
    "Qwen/Qwen2.5-7B": 7615.6,
    "Qwen/Qwen2.5-72B": 72706,
    "Qwen/Qwen3-0.6B": 596,
    "Qwen/Qwen3-8B": 8190.7,
    "Qwen/Qwen3-30B-A3B": 30532,
    "google/gemma-2b": 2506,
    "google/gemma-7b": 8537.7,
    "google/gemma-2-2b": 2614,
    "google/gemma-2-9b-it": 9242,
    "google/gemma-3-270m": 268,
    "google/gemma-3-1b-it": 999.9,
    "microsoft/phi-2": 2779.7,
    "microsoft/Phi-3-mini-4k-instruct": 3821,
    "microsoft/phi-4": 14660,
    "tiiuae/falcon-7b": 6921.7,
    "state-spaces/mamba-130m-hf": 129.1,
    "bigcode/starcoder2-3b": 3030,
    "allenai/OLMo-2-1124-7B": 7299,
    "openai/gpt-oss-20b": 20914.8,
    "openai/gpt-oss-120b": 116829,
    "deepseek-ai/DeepSeek-V3": 671026,
    "deepseek-ai/DeepSeek-V2-Lite": 15706,
    "t5-small": 60.5,
    "t5-base": 222.9,
    "t5-large": 737.7,
    "facebook/bart-base": 139.4,
    "facebook/bart-large": 406.3,
    "facebook/mbart-large-50-many-to-many-mmt": 610.9,
    "facebook/m2m100_418M": 483.9,
    "facebook/nllb-200-distilled-600M": 615,
    "google/vit-base-patch16-224": 86.57,
    "google/vit-large-patch16-224": 304.3,
    "WinKawaks/vit-tiny-patch16-224": 5.7,
    "facebook/dinov2-small": 22.06,
    "facebook/dinov2-base": 86.58,
    "facebook/dinov2-large": 304.4,
    "microsoft/resnet-18": 11.69,
    "microsoft/resnet-50": 25.56,
    "microsoft/resnet-101": 44.55,
    "microsoft/swin-tiny-patch4-window7-224": 28.29,
    "microsoft/swin-base-patch4-window7-224": 87.77,
    "facebook/convnext-tiny-224": 28.59,
    "facebook/convnext-base-224": 88.59,
    "google/mobilenet_v2_1.0_224": 3.5,
    "google/efficientnet-b0": 5.29,
    "google/efficientnet-b7": 66.35,
    "facebook/regnet-y-040": 20.65,
    "facebook/detr-resnet-50": 41.5,
    "hustvl/yolos-tiny": 6.5,
    "PekingU/rtdetr_r50vd": 42.7,
    "nvidia/segformer-b0-finetuned-ade-512-512": 3.75,
    "nvidia/segformer-b5-finetuned-ade-640-640": 84.7,
    "facebook/sam-vit-base": 93.7,
    "facebook/sam-vit-huge": 641,
    "LiheYoung/depth-anything-small-hf": 24.8,
    "Intel/dpt-large": 342.3,
    "apple/DepthPro-hf": 952,
    "openai/whisper-tiny": 37.76,
    "openai/whisper-base": 72.6,
    "openai/whisper-small": 241.7,
    "openai/whisper-medium": 763.9,
    "openai/whisper-large-v3": 1543.5,
    "openai/whisper-large-v3-turbo": 808.9,
    "distil-whisper/distil-large-v3": 756.4,
    "facebook/wav2vec2-base-960h": 94.4,
    "facebook/wav2vec2-large-960h": 315.5,
    "facebook/hubert-large-ls960-ft": 315.5,
    "UsefulSensors/moonshine-tiny": 27.1,
    "UsefulSensors/moonshine-base": 61.5,
    "MIT/ast-finetuned-audioset-10-10-0.4593": 86.6,
    "laion/clap-htsat-unfused": 153.5,
    "microsoft/speecht5_tts": 144.4,
    "facebook/mms-tts-eng": 36.3,
    "facebook/encodec_24khz": 14.85,
    "openai/clip-vit-base-patch32": 151.28,
    "openai/clip-vit-base-patch16": 149.62,
    "openai/clip-vit-large-patch14": 427.6,
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": 986.1,
    "google/siglip-base-patch16-224": 203.2,
    "google/siglip-so400m-patch14-384": 878,
    "google/owlvit-base-patch32": 153.2,
    "IDEA-Research/grounding-dino-tiny": 172.2,
    "dandelin/vilt-b32-finetuned-vqa": 117.6,
    "llava-hf/llava-1.5-7b-hf": 7063,
    "Qwen/Qwen2-VL-2B-Instruct": 2209,
    "Qwen/Qwen2.5-VL-3B-Instruct": 3755,
    "google/paligemma-3b-pt-224": 2923,
    "google/gemma-3-4b-it": 4300,
    "HuggingFaceTB/SmolVLM-256M-Instruct": 256.5,
    "meta-llama/Llama-3.2-11B-Vision-Instruct": 10670,
    "microsoft/trocr-base-printed": 333.9,
    "nlpconnect/vit-gpt2-image-captioning": 239.2,
    "impira/layoutlm-document-qa": 127.8,
    "microsoft/layoutlmv3-base": 125.9,
}

SAMPLE = (
    *("bert-base-uncased", "gpt2", "t5-small", "google/vit-base-patch16-224"),
    *("openai/whisper-tiny", "openai/clip-vit-base-patch32", "Qwen/Qwen2.5-0.5B"),
    *("sentence-transformers/all-MiniLM-L6-v2", "HuggingFaceTB/SmolLM2-135M-Instruct"),
    *("facebook/detr-resnet-50", "microsoft/trocr-base-printed", "facebook/dinov2-small"),
    *("mistralai/Mixtral-8x7B-Instruct-v0.1", "llava-hf/llava-1.5-7b-hf"),
)


def known(name: str) -> KnownModel:
    found = load().model(name)
    assert found is not None, name
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_stored_count_is_the_published_one(name: str) -> None:
    counted = known(name).parameters
    assert counted == pytest.approx(PUBLISHED[name] * 1e6, rel=0.01)


@pytest.mark.parametrize("name", SAMPLE)
def test_the_stored_count_is_what_transformers_builds(name: str) -> None:
    model = known(name)
    assert model.model_type is not None
    assert model.auto_class is not None
    built = count.parameters(model.model_type, model.auto_class, model.config)
    assert built == model.parameters


@pytest.mark.parametrize("name", SAMPLE)
def test_only_what_differs_from_the_defaults_is_stored(name: str) -> None:
    model = known(name)
    assert model.model_type is not None
    assert count.needed(model.model_type, model.config) == model.config


def test_the_sizes_are_in_the_table_for_enough_models() -> None:
    assert len(PUBLISHED) >= 60
    assert {known(name).family for name in PUBLISHED} == {one.family for one in load().models()}
