"""Every configuration type of the installed transformers, against its own mappings."""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rpgen.classification import ModelFacts, classify
from rpgen.families import Family
from rpgen.heads import HEAD_OF
from rpgen.model_database import ModelDatabase, load
from rpgen.refresh_database import __main__ as command
from rpgen.refresh_database import build
from rpgen.refresh_database.mappings import literal_pairs, modality_of, read_inputs, read_types
from rpgen.refresh_database.rules import KNOWN_FOR

transformers = pytest.importorskip("transformers")
same_version = pytest.mark.skipif(
    transformers.__version__ != load().made_with["transformers"],
    reason="the database was made with another transformers than the installed one",
)

SAYS: dict[Family, tuple[str, ...]] = {
    Family.VISION: (
        *("IMAGE_CLASSIFICATION", "OBJECT_DETECTION", "DEPTH_ESTIMATION", "VIDEO_CLASSIFICATION"),
        *("UNIVERSAL_SEGMENTATION", "MASK_GENERATION", "KEYPOINT_MATCHING"),
    ),
    Family.AUDIO: ("CTC", "RNNT", "SPEECH_SEQ_2_SEQ", "AUDIO_CLASSIFICATION", "AUDIO_XVECTOR"),
    Family.MULTIMODAL: (
        *("IMAGE_TEXT_TO_TEXT", "ZERO_SHOT_IMAGE_CLASSIFICATION", "ZERO_SHOT_OBJECT_DETECTION"),
        *("VISUAL_QUESTION_ANSWERING", "DOCUMENT_QUESTION_ANSWERING"),
    ),
}
"""Mappings that tell the family by themselves, whatever else an architecture has."""


def mapping(name: str) -> Mapping[str, Any]:
    from transformers.models.auto import modeling_auto

    found: Mapping[str, Any] = getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES")
    return found


@pytest.fixture(scope="module")
def database() -> ModelDatabase:
    return load()


@same_version
def test_every_type_is_there_and_no_other(database: ModelDatabase) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    assert set(database.raw_architectures) == set(CONFIG_MAPPING_NAMES)


@same_version
@pytest.mark.parametrize("family", SAYS)
def test_the_family_is_the_mappings(family: Family, database: ModelDatabase) -> None:
    names = {
        name for one in SAYS[family] for name in mapping(one) if name in database.raw_architectures
    }
    if family is not Family.MULTIMODAL:  # what reads and sees is multimodal with any other head
        names -= {one for kind in SAYS[Family.MULTIMODAL] for one in mapping(kind)}
        names -= set(mapping("MULTIMODAL_LM")) - set(mapping("SPEECH_SEQ_2_SEQ"))
    found = {name: database.architecture(name) for name in names}
    wrong = {name: one.family for name, one in found.items() if one and one.family is not family}
    assert wrong == {}


@same_version
def test_text_heads_mean_text_where_the_model_takes_text_alone(database: ModelDatabase) -> None:
    for auto_class, kind, family in (
        ("AutoModelForSeq2SeqLM", "SEQ_TO_SEQ_CAUSAL_LM", Family.TEXT_GENERATION),
        ("AutoModelForCausalLM", "CAUSAL_LM", Family.TEXT_GENERATION),
        ("AutoModelForMaskedLM", "MASKED_LM", Family.EMBEDDING),
    ):
        found = [one for name in mapping(kind) if (one := database.architecture(name))]
        known_for_it = [one for one in found if one.auto_class == auto_class]
        assert len(known_for_it) > 20
        for one in known_for_it:
            assert (one.family is family) == (one.inputs == ("text",)), one.model_type


@same_version
def test_each_class_name_is_of_its_mapping(database: ModelDatabase) -> None:
    from transformers.models.auto import modeling_auto

    for one in database.architectures():
        for auto_class, class_name in one.class_names.items():
            names = getattr(modeling_auto, auto_class)._model_mapping._model_mapping
            stored = names[one.model_type]
            assert class_name in ((stored,) if isinstance(stored, str) else stored)


@same_version
def test_a_configuration_of_every_type_and_class_is_classified(database: ModelDatabase) -> None:
    for one in database.architectures():
        alone = classify(ModelFacts("x/y", config={"model_type": one.model_type}), database)
        assert (alone.family, alone.model_type) == (one.family, one.model_type)
        assert alone.auto_class == one.auto_class
        for class_name in set(one.class_names.values()):
            config = {"model_type": one.model_type, "architectures": [class_name]}
            answer = classify(ModelFacts("x/y", config=config), database)
            assert one.class_names[str(answer.auto_class)] == class_name
            assert answer.family is None or answer.confidence == 1.0


def test_every_auto_class_of_transformers_is_in_our_table(database: ModelDatabase) -> None:
    known = {name for one in database.architectures() for name in one.class_names}
    assert known <= set(HEAD_OF)


def test_what_is_outside_the_families_takes_neither_text_images_nor_sound(
    database: ModelDatabase,
) -> None:
    outside = [one for one in database.architectures() if one.family is None]
    assert 0 < len(outside) < 20
    assert {one.inputs for one in outside} <= {("time_series",), ()}


def test_the_exceptions_are_few() -> None:
    assert len(KNOWN_FOR) <= 10


@same_version
def test_the_check_passes_and_sees_each_kind_of_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], database: ModelDatabase
) -> None:
    assert command.main(["--check"]) == 0
    types = dict(database.raw_architectures)
    fresh = dict(types)
    del types["bert"]
    types["gone"] = {"config": "GoneConfig"}
    types["vit"] = {**types["vit"], "family": "audio"}
    lines = command.compare(types, fresh)
    assert [line.split(":")[0] for line in lines] == ["bert", "gone", "vit"]

    models = {"a/b": {"model_type": "bert", "auto_class": "AutoModelForCTC"}}
    path = tmp_path / "database.json"
    path.write_text(build.text(database.made_with, types, models), "utf-8")
    capsys.readouterr()
    assert command.main(["--check", "--output", str(path)]) == 1
    told = capsys.readouterr().out
    for name in ("bert", "gone", "vit", "a/b"):
        assert f"{name}: " in told
    other = build.text({"transformers": "1.0"}, types, models)
    path.write_text(other, "utf-8")
    assert command.main(["--check", "--output", str(path)]) == 0
    assert "made with transformers 1.0" in capsys.readouterr().out
    assert path.read_text("utf-8") == other


def test_a_refresh_keeps_the_models_and_counts_them(tmp_path: Path) -> None:
    models = {
        "me/tiny": {
            "model_type": "bert",
            "subfamily": "masked_lm",
            "auto_class": "AutoModelForMaskedLM",
            "parameters": 1,
            "config": {"hidden_size": 64, "num_attention_heads": 2, "vocab_size": 30522},
        }
    }
    path = tmp_path / "database.json"
    types = load().raw_architectures
    path.write_text(build.text({}, {"bert": types["bert"]}, models), "utf-8")
    assert command.main(["--output", str(path)]) == 0
    again = load(path)
    assert again.made_with == {"transformers": transformers.__version__}
    tiny = again.model("me/tiny")
    assert tiny is not None
    assert tiny.parameters is not None
    assert tiny.parameters > 1_000_000
    assert tiny.config == {"hidden_size": 64, "num_attention_heads": 2}


def test_figures_that_build_nothing_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {"me/broken": {"model_type": "bert", "auto_class": "AutoModelForDepthEstimation"}}
    path = tmp_path / "database.json"
    text = build.text({}, {"bert": load().raw_architectures["bert"]}, models)
    path.write_text(text, "utf-8")
    assert command.main(["--output", str(path)]) == 5
    assert "me/broken" in capsys.readouterr().err
    assert path.read_text("utf-8") == text


def test_processor_tables_are_read_whatever_is_installed() -> None:
    source = """
A_MAPPING_NAMES = OrderedDict([
    ("one", "OneTokenizer" if is_x_available() else None),
    ("two", {"torchvision": "TwoProcessor", "pil": "TwoProcessorPil"}),
    ("three", {"torchvision": "ThreeProcessor"}),
    ("four", ("FourSlow", "FourFast")),
    ("five", None),
    (3, "Three"),
])
other = OrderedDict()
"""
    assert literal_pairs(source) == {
        "A_MAPPING_NAMES": {
            "one": "OneTokenizer",
            "two": "TwoProcessorPil",
            "three": "ThreeProcessor",
            "four": "FourSlow",
        }
    }


@pytest.mark.parametrize(
    ("argument", "modality"),
    [
        *[("input_ids", "text"), ("pixel_values", "image"), ("pixel_values_videos", "video")],
        *[("input_features", "audio"), ("input_features_mask", None), ("labels", None)],
        ("spectrogram_labels", None),
        *[("past_values", "time_series"), ("decoder_input_ids", None), ("image_sizes", "image")],
    ],
)
def test_what_an_argument_of_forward_carries(argument: str, modality: str | None) -> None:
    assert modality_of(argument) == modality


@pytest.mark.parametrize(
    ("model_type", "inputs"),
    [("sam3_tracker_video", ("video",)), ("pocket_tts", ("text", "audio"))],
)
def test_text_is_taken_where_an_argument_carries_it(
    model_type: str, inputs: tuple[str, ...]
) -> None:
    """transformers declares it of models that are told of by clicks and boxes, too."""
    raw = read_types()[model_type]
    read_inputs(raw, "AutoModel")
    assert raw.inputs == inputs
