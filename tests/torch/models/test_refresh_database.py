"""The well-known models of the database, counted by a transformers that may not have them all."""

import json
from pathlib import Path
from typing import Any

import pytest

from rpgen.errors import DataError
from rpgen.model_database import ModelDatabase, load
from rpgen.refresh_database.__main__ import counted

BERT = {
    "model_type": "bert",
    "auto_class": "AutoModelForMaskedLM",
    "config": {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
               "intermediate_size": 16, "vocab_size": 20, "max_position_embeddings": 6},
}  # fmt: skip
LATER = {"model_type": "of-a-later-version", "auto_class": "AutoModel"}


def database(folder: Path, models: dict[str, Any]) -> ModelDatabase:
    path = folder / "database.json"
    types = {"bert": {"config": "BertConfig"}, LATER["model_type"]: {"config": "LaterConfig"}}
    content = {"schema": 1, "made_with": {}, "architectures": types, "models": models}
    path.write_text(json.dumps(content), "utf-8")
    return load(path)


def test_parameters_are_counted_anew(tmp_path: Path) -> None:
    models, uncounted = counted(database(tmp_path, {"our/bert": {**BERT, "parameters": 1}}))
    embeddings = (20 + 6 + 2) * 8 + 2 * 8
    attention = 4 * (8 * 8 + 8) + 2 * 8
    feed_forward = 8 * 16 + 16 + 16 * 8 + 8 + 2 * 8
    head = 8 * 8 + 8 + 2 * 8 + 20  # the decoder's matrix is the embedding's
    assert models["our/bert"]["parameters"] == embeddings + attention + feed_forward + head
    assert uncounted == []


def test_what_cannot_be_built_keeps_its_figures_and_is_named(tmp_path: Path) -> None:
    stored = {**LATER, "parameters": 7, "config": {"width": 3}}
    models, uncounted = counted(database(tmp_path, {"our/bert": BERT, "our/later": stored}))
    assert models["our/later"] == stored
    assert uncounted == ["our/later"]


def test_what_was_never_counted_and_cannot_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="our/later can't be built"):
        counted(database(tmp_path, {"our/later": LATER}))


def test_a_model_that_needs_a_package_keeps_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needs_scipy(*given: Any) -> int:
        raise ImportError("Mask2FormerLoss requires the scipy library")

    monkeypatch.setattr("rpgen.refresh_database.count.parameters", needs_scipy)
    models, uncounted = counted(database(tmp_path, {"our/bert": {**BERT, "parameters": 7}}))
    assert models["our/bert"]["parameters"] == 7
    assert uncounted == ["our/bert"]
