"""What is expected of trained weights: of models that are known for it, and of no others."""

import pytest

from rpgen.families import Subfamily
from rpgen.generate.expectations import Expectations, expectations_of, sees_cats
from rpgen.model_database import load

S = Subfamily
KNOWN = [
    ("HuggingFaceTB/SmolLM2-135M", S.CAUSAL_LM, "continuation"),
    ("meta-llama/Llama-3.2-1B-Instruct", S.CHAT_MODEL, "continuation"),
    ("google-bert/bert-base-uncased", S.MASKED_LM, "gap"),
    ("dslim/bert-base-NER", S.TOKEN_CLASSIFIER, "entity"),
    ("google-t5/t5-small", S.SEQ2SEQ, "translation"),
    ("t5-base", S.SEQ2SEQ, "translation"),
    ("openai/clip-vit-base-patch32", S.IMAGE_TEXT_ENCODER, "colours"),
    ("google/siglip-base-patch16-224", S.IMAGE_TEXT_ENCODER, "colours"),
    ("google/vit-base-patch16-224", S.IMAGE_CLASSIFIER, "photo"),
    ("microsoft/resnet-50", S.IMAGE_CLASSIFIER, "photo"),
    ("microsoft/swin-tiny-patch4-window7-224", S.IMAGE_CLASSIFIER, "photo"),
    ("microsoft/beit-base-patch16-224-pt22k-ft22k", S.IMAGE_CLASSIFIER, None),
    ("google/vit-base-patch16-224-in21k", S.IMAGE_CLASSIFIER, None),
    ("facebook/convnext-base-224-22k", S.IMAGE_CLASSIFIER, None),
    ("somebody/vit-for-leaves", S.IMAGE_CLASSIFIER, None),
    ("facebook/detr-resnet-50", S.OBJECT_DETECTOR, "photo"),
    ("facebook/detr-resnet-50-panoptic", S.OBJECT_DETECTOR, None),
    ("hustvl/yolos-tiny", S.OBJECT_DETECTOR, "photo"),
    ("openai/whisper-tiny", S.SPEECH_RECOGNITION, "recording"),
    ("facebook/wav2vec2-base-960h", S.SPEECH_RECOGNITION, "recording"),
    ("facebook/wav2vec2-base", S.SPEECH_RECOGNITION, None),
    ("google/flan-t5-small", S.SEQ2SEQ, None),
    ("gpt2", S.CAUSAL_LM, None),
    ("google/vit-base-patch16-224", None, None),
]


@pytest.mark.parametrize(("model", "subfamily", "expected"), KNOWN)
def test_only_what_is_known_of_a_name_is_expected(
    model: str, subfamily: Subfamily | None, expected: str | None
) -> None:
    famous = load().model(model)
    cats = sees_cats(subfamily, None, famous.config if famous else {})
    found = expectations_of(model, subfamily, cats)
    told = [name for name, value in vars(found).items() if value is not None]
    assert told == ([expected] if expected else [])
    if expected is None:
        assert found == Expectations()


IMAGENET = {"id2label": {str(n): f"thing {n}" for n in range(999)} | {"281": "tabby, tabby cat"}}


@pytest.mark.parametrize(
    ("subfamily", "config", "sees"),
    [
        (S.IMAGE_CLASSIFIER, {"id2label": IMAGENET["id2label"] | {"999": "bolete"}}, True),
        (S.IMAGE_CLASSIFIER, {"id2label": {"0": "cat", "1": "dog"}}, False),
        (S.IMAGE_CLASSIFIER, {"id2label": {str(n): f"catkin {n}" for n in range(1000)}}, False),
        (S.OBJECT_DETECTOR, {"id2label": {str(n): "cat" for n in range(91)}}, True),
        (S.IMAGE_CLASSIFIER, {}, False),
        (S.SEGMENTATION, IMAGENET, False),
        (None, IMAGENET, False),
    ],
)
def test_a_model_on_disk_says_itself_whether_it_knows_cats(
    subfamily: Subfamily | None, config: dict[str, object], sees: bool
) -> None:
    assert sees_cats(subfamily, config, {}) is sees
