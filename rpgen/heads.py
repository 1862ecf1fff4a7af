"""The heads of transformers and the hub's task names: what each says about a family.

transformers calls a model with a head by an auto class (`AutoModelForMaskedLM`); the hub
calls its use by a pipeline tag (`fill-mask`). Both lists are closed and small. The order of
`HEADS` is the order of preference: of the heads that an architecture has, the first one here
is what the architecture is known for, and the best one to test.
"""

from dataclasses import dataclass

from rpgen.families import FAMILY_OF, Family, Subfamily

_S = Subfamily


@dataclass(frozen=True)
class Head:
    """One auto class. `task` is the pipeline tag that it serves, None where the hub has none."""

    auto_class: str
    family: Family | None
    subfamily: Subfamily | None
    task: str | None


def _head(
    short: str, what: Subfamily | Family | None, task: str | None = None, *, prefix: str = ""
) -> Head:
    name = f"{prefix or 'AutoModelFor'}{short}"
    if isinstance(what, Subfamily):
        return Head(name, FAMILY_OF[what], what, task)
    return Head(name, what, None, task)


HEADS: tuple[Head, ...] = (
    # Images and text together
    _head("DocumentQuestionAnswering", _S.DOCUMENT_QA, "document-question-answering"),
    _head("ImageTextToText", _S.VISION_LANGUAGE, "image-text-to-text"),
    _head("VisualQuestionAnswering", _S.VISION_LANGUAGE, "visual-question-answering"),
    _head("Retrieval", _S.IMAGE_TEXT_ENCODER, "visual-document-retrieval"),
    _head("ZeroShotImageClassification", _S.IMAGE_TEXT_ENCODER, "zero-shot-image-classification"),
    _head("ZeroShotObjectDetection", _S.IMAGE_TEXT_ENCODER, "zero-shot-object-detection"),
    # Sound
    _head("TextToSpectrogram", _S.TEXT_TO_SPEECH, "text-to-speech"),
    _head("TextToWaveform", _S.TEXT_TO_SPEECH, "text-to-speech"),
    _head("SpeechSeq2Seq", _S.SPEECH_RECOGNITION, "automatic-speech-recognition"),
    _head("CTC", _S.SPEECH_RECOGNITION, "automatic-speech-recognition"),
    _head("RNNT", _S.SPEECH_RECOGNITION, "automatic-speech-recognition"),
    _head("TDT", _S.SPEECH_RECOGNITION, "automatic-speech-recognition"),
    _head("AudioClassification", _S.AUDIO_CLASSIFIER, "audio-classification"),
    _head("AudioFrameClassification", _S.AUDIO_CLASSIFIER, "audio-classification"),
    _head("AudioXVector", _S.AUDIO_CLASSIFIER, "audio-classification"),
    _head("AudioTokenization", Family.AUDIO, "feature-extraction"),
    # Images
    _head("ObjectDetection", _S.OBJECT_DETECTOR, "object-detection"),
    _head("DepthEstimation", _S.DEPTH_ESTIMATION, "depth-estimation"),
    _head("ImageClassification", _S.IMAGE_CLASSIFIER, "image-classification"),
    _head("UniversalSegmentation", _S.SEGMENTATION, "image-segmentation"),
    _head("InstanceSegmentation", _S.SEGMENTATION, "image-segmentation"),
    _head("SemanticSegmentation", _S.SEGMENTATION, "image-segmentation"),
    _head("ImageSegmentation", _S.SEGMENTATION, "image-segmentation"),
    _head("MaskGeneration", _S.SEGMENTATION, "mask-generation"),
    _head("VideoClassification", Family.VISION, "video-classification"),
    _head("ImageMatting", Family.VISION, "image-segmentation"),
    _head("PoseEstimation", Family.VISION, "keypoint-detection"),
    _head("KeypointDetection", Family.VISION, "keypoint-detection"),
    _head("KeypointMatching", Family.VISION, "keypoint-matching"),
    _head("NormalEstimation", Family.VISION, "image-to-image"),
    _head("PointmapEstimation", Family.VISION, "image-to-3d"),
    _head("ImageToImage", Family.VISION, "image-to-image"),
    _head("TextRecognition", Family.VISION, "image-to-text"),
    _head("TableRecognition", Family.VISION, "image-to-text"),
    _head("MaskedImageModeling", Family.VISION, "image-feature-extraction"),
    # Text; an architecture that takes images or sound as well is moved by its inputs
    _head("Seq2SeqLM", _S.SEQ2SEQ, "text2text-generation"),
    _head("MaskedLM", _S.MASKED_LM, "fill-mask"),
    _head("CausalLM", _S.CAUSAL_LM, "text-generation"),
    _head("MultimodalLM", Family.MULTIMODAL, "any-to-any"),
    _head("Decision", Family.TEXT_GENERATION, None),
    _head("TokenClassification", _S.TOKEN_CLASSIFIER, "token-classification"),
    _head("TableQuestionAnswering", Family.EMBEDDING, "table-question-answering"),
    _head("SequenceClassification", Family.EMBEDDING, "text-classification"),
    _head("QuestionAnswering", Family.EMBEDDING, "question-answering"),
    _head("MultipleChoice", Family.EMBEDDING, "multiple-choice"),
    _head("NextSentencePrediction", Family.EMBEDDING, None),
    _head("TextEncoding", Family.EMBEDDING, "feature-extraction"),
    # What says nothing about the family
    _head("TimeSeriesPrediction", None, "time-series-forecasting"),
    _head("", None, "feature-extraction", prefix="AutoModel"),
    _head("PreTraining", None, None),
    _head("Backbone", Family.VISION, None, prefix="Auto"),
)

HEAD_OF: dict[str, Head] = {head.auto_class: head for head in HEADS}

TAGS: dict[str, Family | Subfamily | None] = {
    "fill-mask": _S.MASKED_LM,
    "sentence-similarity": _S.SENTENCE_TRANSFORMER,
    "token-classification": _S.TOKEN_CLASSIFIER,
    "ner": _S.TOKEN_CLASSIFIER,
    "text-embedding": _S.SENTENCE_TRANSFORMER,
    "text-ranking": Family.EMBEDDING,
    "feature-extraction": Family.EMBEDDING,
    "text-classification": Family.EMBEDDING,
    "sentiment-analysis": Family.EMBEDDING,
    "zero-shot-classification": Family.EMBEDDING,
    "question-answering": Family.EMBEDDING,
    "table-question-answering": Family.EMBEDDING,
    "multiple-choice": Family.EMBEDDING,
    "text-generation": _S.CAUSAL_LM,
    "conversational": _S.CHAT_MODEL,
    "text2text-generation": _S.SEQ2SEQ,
    "translation": _S.SEQ2SEQ,
    "summarization": _S.SEQ2SEQ,
    "image-classification": _S.IMAGE_CLASSIFIER,
    "object-detection": _S.OBJECT_DETECTOR,
    "image-segmentation": _S.SEGMENTATION,
    "mask-generation": _S.SEGMENTATION,
    "depth-estimation": _S.DEPTH_ESTIMATION,
    "image-feature-extraction": Family.VISION,
    "image-to-image": Family.VISION,
    "image-to-3d": Family.VISION,
    "keypoint-detection": Family.VISION,
    "keypoint-matching": Family.VISION,
    "video-classification": Family.VISION,
    "automatic-speech-recognition": _S.SPEECH_RECOGNITION,
    "audio-classification": _S.AUDIO_CLASSIFIER,
    "zero-shot-audio-classification": _S.AUDIO_CLASSIFIER,
    "voice-activity-detection": _S.AUDIO_CLASSIFIER,
    "text-to-speech": _S.TEXT_TO_SPEECH,
    "text-to-audio": _S.TEXT_TO_SPEECH,
    "audio-to-audio": Family.AUDIO,
    "audio-text-to-text": Family.AUDIO,
    "image-text-to-text": _S.VISION_LANGUAGE,
    "image-to-text": _S.VISION_LANGUAGE,
    "video-text-to-text": _S.VISION_LANGUAGE,
    "visual-question-answering": _S.VISION_LANGUAGE,
    "any-to-any": Family.MULTIMODAL,
    "zero-shot-image-classification": _S.IMAGE_TEXT_ENCODER,
    "zero-shot-object-detection": _S.IMAGE_TEXT_ENCODER,
    "visual-document-retrieval": _S.IMAGE_TEXT_ENCODER,
    "document-question-answering": _S.DOCUMENT_QA,
    "text-to-image": None,
    "text-to-video": None,
    "unconditional-image-generation": None,
    "time-series-forecasting": None,
    "reinforcement-learning": None,
    "robotics": None,
    "tabular-classification": None,
    "tabular-regression": None,
    "graph-ml": None,
}
"""Pipeline tags, the hub's and transformers' own; None is a use outside the five families."""


def split(what: Family | Subfamily | None) -> tuple[Family | None, Subfamily | None]:
    """The family, and the sub-family where it is known."""
    if isinstance(what, Subfamily):
        return FAMILY_OF[what], what
    return what, None
