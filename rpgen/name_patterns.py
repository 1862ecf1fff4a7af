"""What names of models have in common, as data: the words of use, and what they hint at.

Architectures, brands and organisations are not listed here: the model database knows them.
These are the words beside them: uses, data sets, things that a model looks at or listens to;
and ways to train that turn other architectures, such as simcse, bge and e5.
"""

from dataclasses import dataclass

from rpgen.families import Family, Subfamily

_F, _S = Family, Subfamily


@dataclass(frozen=True)
class Word:
    """A word of a name. `task` is the pipeline tag that it tells, "" where it tells none."""

    says: Family | Subfamily
    task: str = ""


def _words(says: Family | Subfamily, task: str, *groups: str) -> dict[str, Word]:
    return {name: Word(says, task) for group in groups for name in group.split()}


USES: dict[str, Word] = {
    # images with text
    **_words(_S.DOCUMENT_QA, "document-question-answering", "docvqa documentqa infovqa invoices"),
    **_words(
        *(_S.VISION_LANGUAGE, "image-text-to-text"),
        "vl vlm vision visual omni multimodal visionlanguage imagetext ocr vlchat videochat mllm",
        "lvlm lmm lmms vla gui ui screenshot chartqa textvqa videollm videochatgpt",
    ),
    **_words(_S.IMAGE_TEXT_ENCODER, "visual-document-retrieval", "vdr"),
    **_words(_S.VISION_LANGUAGE, "image-to-text", "captioning captioner caption captions"),
    **_words(_S.VISION_LANGUAGE, "visual-question-answering", "vqa okvqa nlvr2 gqa"),
    # text, read
    **_words(
        *(_S.TOKEN_CLASSIFIER, "token-classification"),
        "ner pos conll conll03 conll2003 ontonotes pii upos postag postagger chunking wnut",
        "tokenclassification namedentity namedentityrecognition entity punctuation punctuate",
        "wikiann thainer multinerd fewnerd keyphrase keyphrases",
        "keyword keywords extraction deid deidentification deidentify anonymization anonymizer",
        "lemmatizer lemmatization tokenclass truecase truecasing slotfilling wordsegmentation",
        "sentencesegmentation sentenceboundary sbd conll2002 germeval ncbi bc5cdr jnlpba",
    ),
    **_words(
        *(_S.SENTENCE_TRANSFORMER, "sentence-similarity"),
        "sentence embedding embeddings embed sbert simcse retriever retrieval sts stsb",
        "paraphrase bge e5 gte similarity msmarco encoder biencoder semanticsearch",
        "vectors embd sentencetransformer sentencetransformers allnli matryoshka sparse encoding",
        "dense",
        "embedder",
    ),
    **_words(_F.EMBEDDING, "text-ranking", "reranker rerank crossencoder ranker reranking"),
    **_words(
        *(_F.EMBEDDING, "text-classification"),
        "sentiment classifier classification toxic emotion emotions detector toxicity spam hate",
        "hatespeech offensive irony cola mrpc qqp guard sst2 sst imdb goemotions topic topics",
        "intent stance sarcasm politics bias clickbait formality jailbreak promptinjection",
        "languagedetection fakenews financialnews fallacy gibberish reviews aicontent moderation",
        "polarity absa tweet tweets seqcls reward rm prm offense",
        "cost orm fluency adequacy acceptability wellformedness readability suicide suicidality",
        "depression propaganda misogyny sexism racism sexist racist abusive hateful cyberbullying",
        "cyberbully insult harmful injection injections jailbreaks humor humour personality mbti",
        "checkworthiness checkworthy claims argument arguments subjectivity subjective esg",
        "banking77 agnews yelp amazonreviews trec dbpedia dialect dialects languagedetector",
        "programminglanguage sentiments sentimental emotional hatespeechdetection quality",
        "helpfulness zeroshotclassifier finsentiment seqclassification sequenceclassification",
    ),
    **_words(_F.EMBEDDING, "zero-shot-classification", "mnli nli xnli anli zeroshot snli docnli"),
    **_words(
        *(_F.EMBEDDING, "question-answering"),
        "squad squad2 squadv2 qa xquad triviaqa hotpotqa squadv1 newsqa korquad drcd cmrc cuad mrc",
        "tydiqa mlqa extractiveqa questionanswering wtq sqa tabfact tatqa jaquad germanquad pquad",
        "fquad piaf boolq quac covidqa bioasq",
    ),
    # text, written
    **_words(
        *(_S.CHAT_MODEL, "text-generation"),
        "instruct chat it assistant dpo sft rlhf thinking instruction ppo kto orpo",
        "conversational uncensored chatbot roleplay think reasoning reasoner grpo inst dialog",
    ),
    **_words(
        *(_S.CAUSAL_LM, "text-generation"),
        "llm lm coder code gpt writer story stories poem lyrics rap novel moe gguf ggml gptq awq",
        "exl2 mlx vllm python sql text2sql math prover base3b slm bot textgeneration",
        "sppo simpo expo functioncalling toolcalling tooluse longcontext abliterated",
    ),
    **_words(
        *(_S.SEQ2SEQ, "translation"),
        "translation opus translator wmt19 wmt translate mt ende enfr nmt transliteration",
        "transliterate transliterator",
    ),
    **_words(
        *(_S.SEQ2SEQ, "summarization"),
        "summarization summary summarizer summarize cnn xsum samsum cnndm pubmed arxiv headline",
    ),
    **_words(
        *(_S.SEQ2SEQ, "text2text-generation"),
        "paraphraser seq2seq questiongeneration qg grammar gec grammarerror correction corrector",
        "correcter spelling spellcheck simplification textnormalization detox g2p",
    ),
    # images
    **_words(
        *(_S.SEGMENTATION, "image-segmentation"),
        "segmentation segment seg ade ade20k cityscapes panoptic semantic clothes matting rmbg",
        "parsing faceparsing humanparsing background backgroundremoval saliency mask masks lesion",
        "matte binarization pascal voc sidewalk humanparser",
    ),
    **_words(
        *(_S.OBJECT_DETECTOR, "object-detection"),
        "detection coco detector objects365 doclaynet publaynet licenseplate boxes",
        "objectdetection facedetection tabledetection cppe5 fashionpedia weapons visdrone dota",
        "widerface crowdhuman bubble bubbles barcode helmet pedestrian",
    ),
    **_words(_S.DEPTH_ESTIMATION, "depth-estimation", "depth kitti nyu monocular"),
    **_words(
        *(_S.IMAGE_CLASSIFIER, "image-classification"),
        "imagenet in1k in22k in21k in12k nsfw cifar10 cifar100 food101 rvlcdip age mnist beans",
        "eurosat image images img photo face facial faces plant plants flower flowers fruit fruits",
        "vegetables food animal animals dog cat bird birds insect butterfly car cars vehicle xray",
        "chestxray chest brain tumor skin cancer retina retinopathy pneumonia fracture bone wound",
        "leaf disease waste trash garbage accident fire weather satellite mineral rock pokemon",
        "fashion clothing shoes painting art anime signlanguage handwriting digit",
        "imageclassification expression fer fer2013 street scene galaxy histopathology pathology",
        "dermatology tagger deepfake gesture emotion visiontransformer hentai watermark landscape",
        "webface4m webface12m ms1mv2 ms1mv3 glint360k vggface2 fairface utkface alphabet malaria",
        "knee spine melanoma ham10000 oxfordpets stanfordcars tinyimagenet imagenette fmnist",
    ),
    **_words(
        _F.VISION, "keypoint-detection", "pose keypoint keypoints landmark landmarks gaze facemesh"
    ),
    **_words(
        _F.VISION,
        "image-to-image",
        "superresolution denoising deblur upscale lowlight colorizer colorize relighting deraining",
        "vton tryon",
    ),
    **_words(_F.VISION, "image-to-3d", "3d"),
    **_words(
        *(_F.VISION, "image-feature-extraction"),
        "reid personreid opticalflow tracking objecttracking",
    ),
    **_words(
        *(_F.VISION, "video-classification"),
        "video kinetics kinetics400 k400 k600 ssv2 ucf101 ucf hmdb51 action crime violence",
    ),
    # sound
    **_words(
        *(_S.SPEECH_RECOGNITION, "automatic-speech-recognition"),
        "asr ctc stt 960h 100h librispeech transcribe transcription speechrecognition speechtotext",
        "commonvoice ls960 rnnt tdt fleurs audiototext phoneme forcedaligner",
    ),
    **_words(
        *(_S.TEXT_TO_SPEECH, "text-to-speech"),
        "tts vocoder texttospeech ljspeech vctk libritts jsut css10 voicecloning sovits",
    ),
    **_words(
        *(_S.AUDIO_CLASSIFIER, "audio-classification"),
        "audioset ks er sid lid gtzan esc50 gender accent accents genre genres ravdess speaker",
        "speechcommand speechcommands speechemotion speechemotionrecognition ser minds14 crema",
        "diarization vad voiceactivity wakeword instrument instruments keywordspotting superb",
        "musicgenre musicgenres birdsounds iemocap speakerrecognition audioclassification",
        "urbansound8k esc10 voxceleb voxceleb1 voxceleb2 kws antispoof antispoofing spoofing mesd",
        "endofturn turndetection speakerverification tess savee emodb spokenlanguage cough",
        "dysarthria dysarthric stuttering",
    ),
    **_words(
        _F.AUDIO,
        "",
        "audio speech voice vocal sound sounds soundeffect music song acoustic codec spoken",
        "singing vocals karaoke dereverb prosody pronunciation foley sfx piano guitar",
    ),
}
"""Uses and data sets. One word may fit several families: it counts in that of the architecture,
and decides by itself only where no architecture is named."""

_TEXT = Word(_F.EMBEDDING, "text-classification")
_SOUND = Word(_S.AUDIO_CLASSIFIER, "audio-classification")
_PICTURE = Word(_S.IMAGE_CLASSIFIER, "image-classification")
_BOX = Word(_S.OBJECT_DETECTOR, "object-detection")

SHARED: dict[str, tuple[Word, ...]] = {
    **dict.fromkeys(
        ("emotion", "emotions", "classification", "classifier", "expression"),
        (_TEXT, _SOUND, _PICTURE),
    ),
    "detector": (_TEXT, _BOX),
    "detection": (_BOX, _TEXT, _PICTURE, _SOUND),
    "fake": (_PICTURE, _TEXT, _SOUND),
    "deepfake": (_PICTURE, _SOUND),
    "deepfakes": (_PICTURE, _SOUND),
    "gender": (_SOUND, _PICTURE, _TEXT),
    "age": (_PICTURE, _SOUND),
    "languageidentification": (_TEXT, _SOUND),
    "quality": (_TEXT, _PICTURE),
    "cnn": (USES["cnn"],),
    **{word: (Word(_S.CHAT_MODEL, "text-generation"),) for word in ("it", "inst", "think")},
}
"""Words that mean the same in several families, and those too common to decide alone."""
USES |= {word: meanings[0] for word, meanings in SHARED.items() if word not in USES}

SEES = frozenset({"vision", "visual", "omni"})
"""Words that a model of images alone may carry as well."""

SOUNDS = ("audio", "speech", "voice", "asr", "tts", "music", "esc50")
"""Beginnings of words of sound: with them an architecture of images looks at sounds' pictures."""

TALKS = frozenset({"chat", "instruct", "llm", "instruction"})
"""Words of models that answer in text: after the name of an image encoder, both are in it."""

JUDGES = frozenset({"rm", "prm", "orm", "reward"})
"""Words of models that judge answers; beside one of `LEARNT` they say who judged a chat model."""

LEARNT = frozenset({"dpo", "sppo", "kto", "orpo", "expo", "simpo", "ipo"})
"""Ways in which a chat model is trained by a judge: what is so trained answers."""

QUIETLY = frozenset({"gemma3", "gemma4", "llama4", "mistral3"})
"""Architectures that see without a word in their names: one of embeddings, or `text`, beside
them says that what was made of one does not."""

WRITES = frozenset({"paraphrase", "sentence", "msmarco"})
"""Words of sentence embeddings that an encoder and decoder also carries, as it writes them."""

LANGUAGES = frozenset(
    {
        *("en", "de", "fr", "es", "it", "pt", "nl", "ru", "zh", "ja", "ko", "ar", "tr", "pl"),
        *("uk", "cs", "sv", "da", "fi", "no", "hi", "bn", "fa", "he", "vi", "th", "id", "el"),
        *("ro", "hu", "bg", "ca"),
    }
)
"""Codes of languages: two in a row, and nothing else known, are of a translation."""

NLI = frozenset({"mnli", "nli", "xnli", "anli", "snli", "zeroshot"})
"""Inference between two sentences: a classification, also with an encoder and a decoder."""

TURNING = frozenset(
    {
        *("vl", "vlm", "vision", "visual", "omni", "captioning", "captioner", "vqa", "docvqa"),
        *("multimodal", "visionlanguage", "vla", "mllm", "ocr", "nlvr2", "lvlm", "lmm", "lmms"),
        *("sentence", "embedding", "embeddings", "embed", "embd", "simcse", "sts", "stsb", "sbert"),
        *("reranker", "rerank", "audio", "tts", "asr", "retriever", "paraphrase", "guard"),
        *("bge", "e5", "gte", "speech", "transcribe", "voice", "crossencoder", "ranker"),
        *("sentiment", "toxic", "classifier", "classification", "reward", "rm", "prm", "seqcls"),
        *("embedder", "vdr", "cost", "orm", "sound", "soundeffect"),
        *("music", "forcedaligner", "videollm", "videochatgpt"),
        *("summarization", "translation", "summarizer", "seq2seq", "upos"),
        *NLI,
    }
)
"""Words that move a text architecture to another family: `qwen2` with `vl`, `mistral` with
`embed`. Without one of these the architecture's own family stands."""

LEADING = frozenset(
    {
        *("multilingual", "bilingual", "open", "tiny", "mini", "small", "large", "super", "meta"),
        *("japanese", "chinese", "korean", "german", "french", "english", "spanish", "italian"),
        *("arabic", "turkish", "russian", "vietnamese", "thai", "hindi", "indic", "indo", "nordic"),
        *("portuguese", "dutch", "swedish", "danish", "polish", "persian", "greek", "hebrew", "nb"),
        *(
            "larger",
            "base",
            "quantized",
            "merged",
            "custom",
            "my",
            "new",
            "ft",
            "finetuned",
            "distil",
            "medical",
            "random",
        ),
    }
)
"""Words that stand before a name and are none: what comes after them is at the start."""

NOT_BRANDS = frozenset(
    {
        *("language", "not", "bio", "legal", "long", "efficient", "conv", "conditional", "roc"),
        *("deformable", "mm", "pi", "pix", "pocket", "pop", "privacy", "table", "vip"),
        *("unlimited", "perception", "grounding", "distil"),
        *("all", "multi", "the", "large", "base", "small", "tiny", "meta", "new", "my", "en"),
        *("paraphrase", "fashion", "multilingual", "stable", "open", "deepseek", "sup", "age"),
        *("nsfw", "japanese", "chinese", "korean", "german", "french", "english", "nvidia", "hf"),
        *("super", "mini", "deep", "fast", "text", "time", "step", "command", "test", "nano"),
    }
)
"""First words of known ids that stand for nothing."""
