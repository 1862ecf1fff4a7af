"""What names of models have in common, as data: the words, and what they hint at.

Architectures are not listed here: the model database knows their names. These are the words
beside them: uses, data sets, brands that the database's ids don't show, and words that look
like an architecture and are none.
"""

from dataclasses import dataclass

from rpgen.families import Family, Subfamily

_F, _S = Family, Subfamily


@dataclass(frozen=True)
class Word:
    """A word of a name. `task` is the pipeline tag that it tells, "" where it tells none."""

    says: Family | Subfamily
    task: str = ""


def _words(says: Family | Subfamily, task: str, *names: str) -> dict[str, Word]:
    return {name: Word(says, task) for name in names}


USES: dict[str, Word] = {
    **_words(_S.DOCUMENT_QA, "document-question-answering", "docvqa", "documentqa", "infovqa"),
    **_words(_S.VISION_LANGUAGE, "image-text-to-text", "vl", "vlm", "vision", "visual", "omni"),
    **_words(_S.VISION_LANGUAGE, "image-text-to-text", "ocr"),
    **_words(_S.VISION_LANGUAGE, "image-to-text", "captioning", "captioner"),
    **_words(_S.VISION_LANGUAGE, "visual-question-answering", "vqa"),
    **_words(_S.TOKEN_CLASSIFIER, "token-classification", "ner", "pos", "conll", "conll03"),
    **_words(_S.TOKEN_CLASSIFIER, "token-classification", "conll2003", "ontonotes", "pii"),
    **_words(_S.SENTENCE_TRANSFORMER, "sentence-similarity", "sentence", "embedding"),
    **_words(_S.SENTENCE_TRANSFORMER, "sentence-similarity", "embeddings", "embed", "sbert"),
    **_words(_S.SENTENCE_TRANSFORMER, "sentence-similarity", "simcse", "retriever", "sts", "stsb"),
    **_words(_S.SENTENCE_TRANSFORMER, "sentence-similarity", "contriever", "labse", "minilm"),
    **_words(_S.SENTENCE_TRANSFORMER, "sentence-similarity", "paraphrase", "bge", "e5", "gte"),
    **_words(_F.EMBEDDING, "text-ranking", "reranker", "rerank", "crossencoder"),
    **_words(_F.EMBEDDING, "text-classification", "sentiment", "classifier", "classification"),
    **_words(_F.EMBEDDING, "text-classification", "mnli", "nli", "sst2", "imdb", "toxic", "xnli"),
    **_words(_F.EMBEDDING, "text-classification", "emotion", "detector", "toxicity", "spam"),
    **_words(_F.EMBEDDING, "text-classification", "cola", "mrpc", "qqp", "hate", "guard"),
    **_words(_F.EMBEDDING, "question-answering", "squad", "squad2", "squadv2", "qa"),
    **_words(_S.CHAT_MODEL, "text-generation", "instruct", "chat", "it", "assistant", "dpo"),
    **_words(_S.CHAT_MODEL, "text-generation", "sft", "rlhf", "orca", "hermes", "thinking"),
    **_words(_S.CAUSAL_LM, "text-generation", "llm", "lm", "coder"),
    **_words(_S.SEQ2SEQ, "translation", "translation", "opus", "nllb", "translator", "wmt19"),
    **_words(_S.SEQ2SEQ, "summarization", "summarization", "summary", "summarizer", "cnn"),
    **_words(_S.SEQ2SEQ, "text2text-generation", "paraphraser", "seq2seq"),
    **_words(_S.SEGMENTATION, "image-segmentation", "segmentation", "segment", "ade", "ade20k"),
    **_words(_S.SEGMENTATION, "image-segmentation", "cityscapes", "panoptic", "semantic"),
    **_words(_S.SEGMENTATION, "image-segmentation", "clothes", "matting", "rmbg", "deeplabv3"),
    **_words(_S.OBJECT_DETECTOR, "object-detection", "detection", "coco", "yolo", "detector"),
    **_words(_S.OBJECT_DETECTOR, "object-detection", "objects365", "doclaynet", "yolov8"),
    **_words(_S.DEPTH_ESTIMATION, "depth-estimation", "depth", "kitti", "nyu", "midas"),
    **_words(_S.IMAGE_CLASSIFIER, "image-classification", "imagenet", "in1k", "in22k", "nsfw"),
    **_words(_S.IMAGE_CLASSIFIER, "image-classification", "cifar10", "food101", "rvlcdip", "age"),
    **_words(_F.VISION, "video-classification", "kinetics", "kinetics400", "k400", "ssv2"),
    **_words(_S.SPEECH_RECOGNITION, "automatic-speech-recognition", "asr", "ctc", "stt", "960h"),
    **_words(_S.SPEECH_RECOGNITION, "automatic-speech-recognition", "librispeech", "transcribe"),
    **_words(_S.TEXT_TO_SPEECH, "text-to-speech", "tts", "vocoder", "parler"),
    **_words(_S.AUDIO_CLASSIFIER, "audio-classification", "audioset", "ks", "er", "sid", "lid"),
    **_words(_S.AUDIO_CLASSIFIER, "audio-classification", "gtzan", "esc50", "gender", "accent"),
    **_words(_F.AUDIO, "", "audio", "speech", "voice", "sound", "music"),
}
"""Uses and data sets. One word may fit several families: it counts in that of the architecture,
and decides by itself only where no architecture is named."""

SHARED: dict[str, tuple[Word, ...]] = {
    "emotion": (
        Word(_F.EMBEDDING, "text-classification"),
        Word(_S.AUDIO_CLASSIFIER, "audio-classification"),
        Word(_S.IMAGE_CLASSIFIER, "image-classification"),
    ),
    "detector": (
        Word(_F.EMBEDDING, "text-classification"),
        Word(_S.OBJECT_DETECTOR, "object-detection"),
    ),
    "classification": (
        Word(_F.EMBEDDING, "text-classification"),
        Word(_S.AUDIO_CLASSIFIER, "audio-classification"),
        Word(_S.IMAGE_CLASSIFIER, "image-classification"),
    ),
    "classifier": (
        Word(_F.EMBEDDING, "text-classification"),
        Word(_S.AUDIO_CLASSIFIER, "audio-classification"),
        Word(_S.IMAGE_CLASSIFIER, "image-classification"),
    ),
}
"""Words that mean the same in several families."""

TURNING = frozenset(
    {
        *("vl", "vlm", "vision", "visual", "omni", "captioning", "captioner", "vqa", "docvqa"),
        *("sentence", "embedding", "embeddings", "embed", "simcse", "sts", "stsb", "sbert"),
        *("reranker", "rerank", "audio", "tts", "asr", "ocr", "retriever", "paraphrase", "guard"),
        *("bge", "e5", "gte", "speech", "transcribe", "voice"),
        *("mnli", "nli", "xnli", "sentiment", "toxic", "classifier", "classification"),
    }
)
"""Words that move a text architecture to another family: `qwen2` with `vl`, `mistral` with
`embed`. Without one of these the architecture's own family stands."""

BRANDS: dict[str, str] = {
    "gpt": "gpt2",
    "gpt3": "gpt2",
    "vicuna": "llama",
    "alpaca": "llama",
    "wizardlm": "llama",
    "hermes": "llama",
    "openchat": "mistral",
    "yolo": "yolos",
    "opusmt": "marian",
    "nllb": "m2m_100",
    "madlad400": "t5",
    "mms": "wav2vec2",
    "mmstts": "vits",
    "wav2vec": "wav2vec2",
    "xlsr": "wav2vec2",
    "xlsr53": "wav2vec2",
    "w2vbert": "wav2vec2-bert",
    "trocr": "vision-encoder-decoder",
    "donut": "vision-encoder-decoder",
    "moondream": "llava",
    "dino": "vit",
    "nomic": "nomic_bert",
    "bge": "bert",
    "e5": "bert",
    "gte": "bert",
    "minilm": "bert",
    "bertweet": "roberta",
    "phobert": "roberta",
    "debertav3": "deberta-v2",
    "starcoder": "gpt_bigcode",
    "santacoder": "gpt_bigcode",
    "stablelm2": "stablelm",
    "openllama": "llama",
}
"""Names under which an architecture is also known."""

ROOTS = (
    *("deberta", "roberta", "electra", "whisper", "mistral", "llama", "gemma", "gpt2", "qwen"),
    *("llava", "bert", "bart", "clip", "gpt", "vit", "t5"),
)
"""Architectures whose name people lengthen: codellama, biobert, distilgpt2. Longest first."""

ONLY_FIRST = frozenset(
    {
        *("align", "bark", "beam", "bit", "canary", "clap", "cpm", "dac", "dia", "distil", "doge"),
        *("flint", "git", "laguna", "led", "mra", "mvp", "opt", "radio", "rag", "segment", "sew"),
        *("dots1", "dpr", "glm", "esm", "gpt", "mms", "dino", "pi0", "ast", "focalnet", "timesfm"),
    }
)
"""Architectures that are also ordinary words or short: they count at the start of a name."""

MAKERS: dict[str, str] = {
    "sentence-transformers": "sentence",
    "cross-encoder": "reranker",
    "helsinki-nlp": "translation",
}
"""Organisations that make one kind of model, and the word of use that this stands for."""

NOT_BRANDS = frozenset(
    {
        *(
            "all",
            "multi",
            "the",
            "large",
            "base",
            "small",
            "tiny",
            "meta",
            "new",
            "my",
            "paraphrase",
        ),
        *("fashion", "multilingual", "en", "stable", "open", "deepseek", "sup", "age", "nsfw"),
    }
)
"""First words of well-known ids that stand for nothing."""
