"""Every configuration type's family against a second reading of transformers' mappings.

The database is made by `rpgen.refresh_database.rules`; here the same question is answered by a
shorter rule, written without it, from which of transformers' mappings name a type:

1. a mapping of images with text (and of sound with text, where pictures are processed as well):
   multimodal;
2. else a mapping of sound: audio, or of images: vision;
3. else the processors: images and text, multimodal; sound, audio; images alone, vision;
4. else masked words: embedding (unless it is an encoder with a decoder); written text: text
   generation; any other text head: embedding;
5. named by no mapping: what the name says that a part of a model takes;
6. where the name is silent: what the class behind AutoModel takes, by its signature and by what
   it declares; without a class, the families of the models in the same folder.

What differs is listed with its why, and nothing else may.
"""

import inspect
import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from rpgen.families import Family
from rpgen.model_database import ModelDatabase, load
from rpgen.refresh_database.mappings import RawType, model_class, processor_mappings, read_types

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.skipif(
    transformers.__version__ != load().made_with["transformers"],
    reason="the database was made with another transformers than the installed one",
)

M, A, V, E, G = (
    *(Family.MULTIMODAL, Family.AUDIO, Family.VISION, Family.EMBEDDING),
    Family.TEXT_GENERATION,
)

PICTURES_AND_TEXT = (
    *("IMAGE_TEXT_TO_TEXT", "VISUAL_QUESTION_ANSWERING", "DOCUMENT_QUESTION_ANSWERING"),
    *("ZERO_SHOT_IMAGE_CLASSIFICATION", "ZERO_SHOT_OBJECT_DETECTION", "RETRIEVAL"),
)
SOUND = (
    *("CTC", "RNNT", "TDT", "SPEECH_SEQ_2_SEQ", "AUDIO_CLASSIFICATION", "AUDIO_XVECTOR"),
    *("AUDIO_FRAME_CLASSIFICATION", "TEXT_TO_SPECTROGRAM", "TEXT_TO_WAVEFORM"),
)
PICTURES = (
    *("IMAGE_CLASSIFICATION", "OBJECT_DETECTION", "DEPTH_ESTIMATION", "SEMANTIC_SEGMENTATION"),
    *("INSTANCE_SEGMENTATION", "UNIVERSAL_SEGMENTATION", "IMAGE_SEGMENTATION", "IMAGE_TO_IMAGE"),
    *("MASK_GENERATION", "VIDEO_CLASSIFICATION", "MASKED_IMAGE_MODELING", "IMAGE_MATTING"),
    *("KEYPOINT_DETECTION", "KEYPOINT_MATCHING", "POSE_ESTIMATION", "NORMAL_ESTIMATION"),
    *("POINTMAP_ESTIMATION", "TEXT_RECOGNITION", "TABLE_RECOGNITION", "BACKBONE"),
)
WRITTEN = ("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM")
READ = (
    *("SEQUENCE_CLASSIFICATION", "TOKEN_CLASSIFICATION", "QUESTION_ANSWERING", "MULTIPLE_CHOICE"),
    *("NEXT_SENTENCE_PREDICTION", "TABLE_QUESTION_ANSWERING"),
)

DIFFERENT = {
    "lxmert": "its pictures come as features, for which transformers has no processor",
    "modernvbert": "its processor is only listed under colmodernvbert",
    "mgp-str": "reads text off pictures alone; its tokenizer only decodes",
    "pixtral": "the image encoder of a llava, whose processor is listed under it",
    "sam3_tracker_video": "follows objects; the listed tokenizer is that of sam3",
    "musicflamingo": "listens; listed among the models that write for what it answers",
    "clvp_encoder": "reads the text that is compared with speech",
    "deepseek_ocr2_encoder": "the image encoder of a whole that reads pages",
    "step3p5": "the text part of step3p7",
    "trocr": "the decoder alone, listed with the processor of the whole",
}
"""Types whose family is another than the rule's, each with its why."""


def types_of(*kinds: str) -> set[str]:
    from transformers.models.auto import modeling_auto

    return {
        name for kind in kinds for name in getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES")
    }


def by_heads_and_processors(name: str, processors: dict[str, dict[str, str]]) -> Family | None:
    """Rules 1 to 4: the family, or None where no mapping names the type."""
    kinds = {kind for kind, names in processors.items() if name in names}
    sees, hears = bool(kinds & {"image_processor", "video_processor"}), "feature_extractor" in kinds
    if name in types_of(*PICTURES_AND_TEXT):
        return M
    if name in types_of("MULTIMODAL_LM"):
        return M if sees else A if hears else None
    if name in types_of(*SOUND) and not sees:
        return A
    if name in types_of(*PICTURES):
        return V
    if sees:
        return M if kinds & {"tokenizer", "processor"} else V
    if hears:
        return A
    if name in types_of("MASKED_LM") - types_of("SEQ_TO_SEQ_CAUSAL_LM"):
        return E
    if name in types_of(*WRITTEN):
        return G
    return E if name in types_of(*READ) else None


def by_part(name: str) -> set[Family]:
    """Rule 5: the families that a part of this name may be of, none where the name is silent."""
    for words, families in (
        (("text_encoder", "text_model", "_text"), {E, G}),
        (("vision", "image", "video", "_vit", "sam_"), {V, M}),
        (("audio", "speech", "tts", "music"), {A, M}),
    ):
        if any(word in name.removeprefix("sam3_lite_text") for word in words):
            return families
    return set()


def by_signature(found: Any) -> set[Family]:
    """Rule 6, with a class."""
    arguments = {*inspect.signature(found.forward).parameters, found.main_input_name}
    stated = getattr(found, "input_modalities", ())
    declared = {stated} if isinstance(stated, str) else set(stated)
    sees = any(each.startswith(("pixel_", "visual_")) for each in arguments) or "image" in declared
    hears = not arguments.isdisjoint({"input_features", "input_values"}) or declared == {"audio"}
    reads = "input_ids" in arguments
    if sees or hears:
        return {M} if reads or (sees and hears) else {V} if sees else {A}
    return {G} if "past_key_values" in arguments else {E}


def by_folder(one: str, raw: Mapping[str, RawType], said: Mapping[str, Family]) -> set[Family]:
    """Rule 6, without one."""
    return {
        said[name] for name, each in raw.items() if each.module == raw[one].module and name in said
    }


@pytest.fixture(scope="module")
def database() -> ModelDatabase:
    return load()


def test_every_type_is_of_the_family_that_the_mappings_say(database: ModelDatabase) -> None:
    processors, raw = processor_mappings(), read_types()
    names = [one.model_type for one in database.architectures()]
    told = {name: by_heads_and_processors(name, processors) for name in names}
    said = {name: family for name, family in told.items() if family is not None}
    counted: Counter[str] = Counter()
    wrong: dict[str, tuple[Family | None, set[Family]]] = {}
    for one in database.architectures():
        name = one.model_type
        if name in said:
            rule, families = "named by a mapping", {said[name]}
        elif one.family is None:
            continue
        elif families := by_part(name):
            rule = "by the name of the part"
        elif "AutoModel" in one.class_names:
            rule, families = "by the signature", by_signature(model_class(raw[name], "AutoModel"))
        else:
            rule, families = "by the folder", by_folder(name, raw, said)
        counted[rule if families else "by nothing"] += 1
        if families and one.family not in families:
            wrong[name] = (one.family, families)
    print(dict(counted), "different:", sorted(wrong))
    assert counted["named by a mapping"] > 500
    assert counted["by the signature"] > 14
    assert counted["by nothing"] <= 10
    assert set(wrong) == set(DIFFERENT), wrong
    assert len(DIFFERENT) <= 10


def test_what_one_part_of_a_model_takes_is_its_family(database: ModelDatabase) -> None:
    """A part named after what it takes is of that family, unless it joins several."""
    joining = {"vision-text-dual-encoder", "vision-encoder-decoder", "sam3_lite_text"}
    for one in database.architectures():
        ending = one.model_type.removesuffix("_model").removesuffix("_encoder")
        if one.model_type in joining or one.class_names.keys() - {"AutoModel", "AutoBackbone"}:
            continue
        if ending.endswith("_vision"):
            assert one.family is V, one.model_type
        if ending.endswith("_audio"):
            assert one.family is A, one.model_type
        if ending.endswith("_text"):
            assert one.family in (E, G), one.model_type
