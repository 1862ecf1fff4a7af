"""The guide's names for classification."""

import json
import threading
from pathlib import Path

import pytest

from rpgen.errors import DataError, OutputError
from rpgen.families import Family, Subfamily
from rpgen.model_family_classifier import (
    MODEL_FAMILIES,
    MODEL_SUBFAMILIES,
    ModelFamilyClassifier,
    classify_model,
)

KEYS = {
    *("model_name", "family", "subfamily", "confidence", "subfamily_confidence", "source"),
    *("analyses", "template"),
}


def test_the_tables_have_the_guides_families() -> None:
    assert list(MODEL_FAMILIES) == [family.value for family in Family]
    names = [one["name"] for subs in MODEL_SUBFAMILIES.values() for one in subs]
    assert sorted(names) == sorted(one.value for one in Subfamily)
    assert all(
        {"description", "keywords", "tasks", "methods"} <= set(one)
        for one in MODEL_FAMILIES.values()
    )
    assert all(one["keywords"] and one["tasks"] for one in MODEL_FAMILIES.values())


@pytest.mark.parametrize("name", ["bert-base-uncased", "someone/qzx", ""])
def test_the_answer_is_plain_json_with_the_promised_keys(name: str) -> None:
    answer = classify_model(name)
    assert set(answer) == KEYS
    assert json.loads(json.dumps(answer)) == answer
    assert type(answer["family"]) in (str, type(None))
    for one in answer["analyses"]:
        assert set(one) == {"source", "family", "subfamily", "confidence", "reason"}


def test_the_guides_example() -> None:
    answer = classify_model("bert-base-uncased")
    assert (answer["family"], answer["subfamily"]) == ("embedding", "masked_lm")
    assert answer["confidence"] >= 0.75
    assert answer["template"] == "hf_embedding_template.py"


@pytest.mark.parametrize("name", ["bert-base-uncased", "llava-hf/llava-1.5-7b-hf", "someone/qzx"])
@pytest.mark.parametrize(
    "hardware",
    [
        {},
        {"mps": {"compatible": False, "reason": "multimodal"}},
        {"cuda": {"compatible": True, "memory_usage": {"peak": 90_000}}},
        {"openvino": {"compatible": True}, "webnn": {"compatible": False}},
        {"rocm": {"compatible": False}, "cuda": "broken"},
    ],
)
def test_hardware_never_changes_the_answer(name: str, hardware: dict[str, object]) -> None:
    assert classify_model(name, hw_compatibility=hardware) == classify_model(name)


def test_what_the_caller_says_counts() -> None:
    assert classify_model("x/qzx", model_class="BertForMaskedLM")["family"] == "embedding"
    assert classify_model("x/qzx", tasks=["automatic-speech-recognition"])["family"] == "audio"
    assert classify_model("x/qzx", methods=["generate"])["family"] == "text_generation"


def test_templates() -> None:
    classifier = ModelFamilyClassifier()
    for family in Family:
        assert classifier.get_template_for_family(family.value) == f"hf_{family}_template.py"
    assert classifier.get_template_for_family("vision", "segmentation") == "hf_vision_template.py"
    assert classifier.get_template_for_family(None) == "hf_general_template.py"
    assert classifier.get_template_for_family("sonnets") == "hf_general_template.py"


def test_a_noted_model_is_known_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    classifier = ModelFamilyClassifier(model_db_path=str(path))
    assert classifier.classify_model("me/qzx")["family"] is None
    classifier.update_model_db("me/qzx", {"family": "audio", "subfamily": "text_to_speech"})
    assert classifier.classify_model("me/qzx")["subfamily"] == "text_to_speech"
    assert "me/qzx" in classifier.model_db
    later = classify_model("me/qzx", model_db_path=path)
    assert (later["family"], later["source"]) == ("audio", "database")
    assert classify_model("gpt2", model_db_path=path)["family"] == "text_generation"


def test_without_a_file_a_note_lasts_as_long_as_the_classifier() -> None:
    classifier = ModelFamilyClassifier()
    classifier.update_model_db("me/qzx", {"family": "vision", "confidence": 0.9})
    assert classifier.classify_model("me/qzx")["family"] == "vision"
    assert classify_model("me/qzx")["family"] is None


def test_an_answer_without_a_family_is_not_noted(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    ModelFamilyClassifier(model_db_path=path).update_model_db("me/qzx", {"family": None})
    assert not path.exists()


def test_a_file_that_is_not_ours_is_neither_used_nor_written_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("precious", "utf-8")
    with pytest.raises(DataError):
        ModelFamilyClassifier(model_db_path=path)
    path.unlink()
    classifier = ModelFamilyClassifier(model_db_path=path)
    path.write_text("precious", "utf-8")
    with pytest.raises(DataError):
        classifier.update_model_db("me/qzx", {"family": "audio"})
    assert path.read_text("utf-8") == "precious"


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    classifier = ModelFamilyClassifier(model_db_path=tmp_path / "file" / "mine.json")
    with pytest.raises(OutputError, match="can't be written"):
        classifier.update_model_db("me/qzx", {"family": "audio"})


def test_notes_of_many_threads_all_arrive(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"

    def note(number: int) -> None:
        classifier = ModelFamilyClassifier(model_db_path=path)
        classifier.update_model_db(f"me/model-{number}", {"family": "audio"})

    threads = [threading.Thread(target=note, args=(number,)) for number in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(json.loads(path.read_text("utf-8"))["models"]) == 12


def test_families_of_ones_own_add_their_keywords() -> None:
    classifier = ModelFamilyClassifier({"genomics": {"keywords": ["qzx"]}})
    answer = classifier.classify_model("me/qzx-large")
    assert (answer["family"], answer["template"]) == ("genomics", "hf_general_template.py")
    assert set(answer) == KEYS
