"""Model families: the closed lists, and what a classification says.

How an answer is found is in `rpgen.classification`; this file only has the words.
"""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What a model is for; prints as the string that people write."""

    __repr__ = str.__repr__

    EMBEDDING = "embedding"
    TEXT_GENERATION = "text_generation"
    VISION = "vision"
    AUDIO = "audio"
    MULTIMODAL = "multimodal"


class Subfamily(StrEnum):
    """What a model is for, more precisely; prints as the string that people write."""

    __repr__ = str.__repr__

    MASKED_LM = "masked_lm"
    SENTENCE_TRANSFORMER = "sentence_transformer"
    TOKEN_CLASSIFIER = "token_classifier"
    CAUSAL_LM = "causal_lm"
    SEQ2SEQ = "seq2seq"
    CHAT_MODEL = "chat_model"
    IMAGE_CLASSIFIER = "image_classifier"
    OBJECT_DETECTOR = "object_detector"
    SEGMENTATION = "segmentation"
    DEPTH_ESTIMATION = "depth_estimation"
    SPEECH_RECOGNITION = "speech_recognition"
    AUDIO_CLASSIFIER = "audio_classifier"
    TEXT_TO_SPEECH = "text_to_speech"
    VISION_LANGUAGE = "vision_language"
    IMAGE_TEXT_ENCODER = "image_text_encoder"
    DOCUMENT_QA = "document_qa"


FAMILY_OF: dict[Subfamily, Family] = {
    Subfamily.MASKED_LM: Family.EMBEDDING,
    Subfamily.SENTENCE_TRANSFORMER: Family.EMBEDDING,
    Subfamily.TOKEN_CLASSIFIER: Family.EMBEDDING,
    Subfamily.CAUSAL_LM: Family.TEXT_GENERATION,
    Subfamily.SEQ2SEQ: Family.TEXT_GENERATION,
    Subfamily.CHAT_MODEL: Family.TEXT_GENERATION,
    Subfamily.IMAGE_CLASSIFIER: Family.VISION,
    Subfamily.OBJECT_DETECTOR: Family.VISION,
    Subfamily.SEGMENTATION: Family.VISION,
    Subfamily.DEPTH_ESTIMATION: Family.VISION,
    Subfamily.SPEECH_RECOGNITION: Family.AUDIO,
    Subfamily.AUDIO_CLASSIFIER: Family.AUDIO,
    Subfamily.TEXT_TO_SPEECH: Family.AUDIO,
    Subfamily.VISION_LANGUAGE: Family.MULTIMODAL,
    Subfamily.IMAGE_TEXT_ENCODER: Family.MULTIMODAL,
    Subfamily.DOCUMENT_QA: Family.MULTIMODAL,
}

GENERAL_TEMPLATE = "hf_general_template.py"


def template_name(family: Family | None) -> str:
    """The template of a family; the general one where there is no family."""
    return f"hf_{family}_template.py" if family else GENERAL_TEMPLATE


@dataclass(frozen=True)
class Finding:
    """What one source says. Sources: config, modules, pipeline_tag, database, name, caller."""

    source: str
    family: Family | None
    subfamily: Subfamily | None
    confidence: float  # 0 to 1
    reason: str


@dataclass(frozen=True)
class Classification:
    """The answer, and everything that led to it.

    `model_type` and `auto_class` are transformers' own names ("bert",
    "AutoModelForMaskedLM"), None where nothing tells; `task` is the hub's pipeline tag.
    `family` is None for a model outside the five families: the general template is its.
    """

    model_name: str
    family: Family | None
    subfamily: Subfamily | None
    confidence: float
    subfamily_confidence: float
    source: str
    findings: tuple[Finding, ...] = ()
    model_type: str | None = None
    auto_class: str | None = None
    task: str | None = None

    @property
    def template(self) -> str:
        return template_name(self.family)
