"""The shipped database, and files that are not ours."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rpgen.errors import DataError
from rpgen.families import FAMILY_OF, Family, Subfamily
from rpgen.heads import HEAD_OF, HEADS, TAGS, split
from rpgen.model_database import Architecture, load, load_or_shipped
from rpgen.refresh_database import build
from rpgen.refresh_database.__main__ import compare, kept


def written(folder: Path, content: Any) -> Path:
    path = folder / "database.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def ours(**sections: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "made_with": {},
        "architectures": {},
        "models": {},
        "names": {},
        **sections,
    }


def test_the_shipped_file_has_what_it_promises() -> None:
    database = load()
    assert len(database.architectures()) > 700
    assert len(database.models()) >= 150
    assert {one.family for one in database.models()} == set(Family)
    assert {one.subfamily for one in database.models()} >= set(Subfamily)
    assert all(one.parameters for one in database.models())


def test_entries_agree_with_each_other() -> None:
    database = load()
    for one in database.architectures():
        assert one.subfamily is None or FAMILY_OF[one.subfamily] is one.family
        assert one.auto_class is None or one.auto_class in one.class_names
    for model in database.models():
        architecture = database.architecture(model.model_type)
        assert architecture is not None
        assert model.auto_class in architecture.auto_classes
        assert model.family is not None


def test_every_name_says_a_known_type_or_use() -> None:
    database = load()
    assert len(database.raw_names) > 800
    for name, says in database.raw_names.items():
        assert name == name.lower()
        assert (says in TAGS) is (database.architecture(says) is None), (name, says)


def test_a_model_is_found_in_any_case_with_and_without_organisation() -> None:
    database = load()
    for name in ("openai/whisper-tiny", "OPENAI/Whisper-Tiny", "whisper-tiny"):
        known = database.model(name)
        assert known is not None
        assert (known.model_id, known.model_type) == ("openai/whisper-tiny", "whisper")
    renamed = database.model("google-t5/t5-small")
    assert renamed is not None
    assert renamed.model_id == "t5-small"
    assert database.model("someone/whisper-tiny-finetuned") is None
    assert database.model("") is None


def test_an_unknown_type_is_none() -> None:
    assert load().architecture("nothing-like-it") is None
    assert load().architecture(None) is None


def test_a_class_leads_to_its_architecture() -> None:
    found = load().class_named("BertForMaskedLM")
    assert found is not None
    assert (found[0].model_type, found[1]) == ("bert", "AutoModelForMaskedLM")
    llama = load().class_named("LlamaForCausalLM")
    assert llama is not None
    assert llama[0].model_type == "llama"
    assert load().class_named("NoSuchModel") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        '{"schema": 1',
        "[" * 100_000,
        "[]",
        "null",
        '{"bert-base-uncased": {"family": "embedding"}}',
        ours(schema=2),
        ours(schema="1"),
        ours(models=[]),
        ours(models={"a": 3}),
        ours(models={"a": {}}),
        ours(architectures={"a": []}),
        ours(architectures={"a": {"config": 3}}),
        ours(names=[]),
        ours(names={"qwen": {}}),
        ours(names={"qwen": 3}),
        {"schema": 1},
    ],
)
def test_a_file_that_is_not_ours_is_one_sentence(content: Any, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=r"database\.json") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert "refresh_database" in str(caught.value)


def test_bytes_that_are_no_text_a_folder_and_nothing(tmp_path: Path) -> None:
    binary = tmp_path / "database.json"
    binary.write_bytes(b"\xff\xfe\x00\x01" * 9)
    for path in (binary, tmp_path, tmp_path / "absent.json"):
        with pytest.raises(DataError, match="model database"):
            load(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = written(tmp_path, ours())
    path.chmod(0)
    with pytest.raises(DataError, match="can't be read"):
        load(path)


def test_a_value_that_is_not_of_the_schema_is_named(tmp_path: Path) -> None:
    models = {"a": {"model_type": "bert", "subfamily": "sonnets"}}
    database = load(written(tmp_path, ours(models=models)))
    with pytest.raises(DataError, match="'a'"):
        database.model("a")


def test_a_file_of_models_adds_to_the_shipped_one(tmp_path: Path) -> None:
    database = load(written(tmp_path, ours(models={"my/own": {"model_type": "bert"}})))
    own, shipped = database.model("my/own"), database.model("gpt2")
    assert own is not None
    assert (own.family, own.auto_class) == (Family.EMBEDDING, "AutoModelForMaskedLM")
    assert shipped is not None


def test_the_environment_names_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load()
    path = written(tmp_path, ours(models={"my/own": {"model_type": "bert"}}))
    monkeypatch.setenv("RPGEN_MODEL_DB", str(path))
    assert load().source == path
    assert load().model("my/own") is not None
    assert load().model("bert-base-uncased") == shipped.model("bert-base-uncased")
    monkeypatch.setenv("RPGEN_MODEL_DB", str(tmp_path / "absent.json"))
    with pytest.raises(DataError, match=r"absent\.json"):
        load()


def test_a_file_that_is_not_there_yet_begins_as_the_shipped_one(tmp_path: Path) -> None:
    assert load_or_shipped(tmp_path / "new.json") is load()
    path = written(tmp_path, ours(models={"my/own": {"model_type": "bert"}}))
    assert load_or_shipped(path) is load(path)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, ours(models={"my/own": {"model_type": "bert"}}))
    first = load(path)
    assert load(path) is first
    written(tmp_path, ours(models={"my/other": {"model_type": "bert"}}))
    os.utime(path, ns=(1, 1))
    assert load(path).model("my/other") is not None


def test_the_text_of_a_database_is_read_back_and_has_a_line_per_entry(tmp_path: Path) -> None:
    database = load()
    text = build.text(
        database.made_with, database.raw_architectures, database.raw_models, database.raw_names
    )
    again = load(written(tmp_path, text))
    assert again.raw_architectures == database.raw_architectures
    assert again.raw_models == database.raw_models
    assert again.raw_names == database.raw_names
    entries = sum(map(len, (database.raw_architectures, database.raw_models, database.raw_names)))
    assert entries <= len(text.splitlines()) <= entries + 8
    assert text == database.source.read_text("utf-8")


def test_an_empty_database_is_written_and_read(tmp_path: Path) -> None:
    path = written(tmp_path, build.text({}, {}, {}))
    assert json.loads(path.read_text("utf-8")) == ours()


def test_the_tables_of_heads_and_tags_are_of_one_mind() -> None:
    assert len(HEAD_OF) == len(HEADS)
    for head in HEADS:
        assert head.subfamily is None or FAMILY_OF[head.subfamily] is head.family
        if head.task is not None and head.subfamily is not None:
            assert split(TAGS[head.task])[0] is head.family


def test_trained_weights_are_spared_what_they_do_not_stand(tmp_path: Path) -> None:
    entry = {
        "config": "OneConfig",
        "never": {"fp16": "too wide"},
        "tiny": {"left_out": {"attention": "one way only", "saving": "it forgets"}},
    }
    one = load(written(tmp_path, ours(architectures={"one": entry}))).architecture("one")
    assert one is not None
    assert set(one.unfit(None)) == {"fp16", "attention"}


def test_a_refresh_keeps_what_people_know_and_finds_the_rest_anew() -> None:
    found = {"never": {"fp16": f"{build.KEEPS} wo in float32"}}
    known = {"never": {"fp16": "too wide"}, "tiny": {"rung": 1}}
    assert kept({"one": {}}, {"one": known}) == {"one": known}
    assert kept({"one": {}}, {"one": found}) == {"one": {}}
    assert kept({"one": dict(found)}, {"one": known}) == {"one": {**known, **found}}
    assert compare({"one": known}, {"one": {}}) == []
    assert len(compare({"one": found}, {"one": {}})) == 1


def test_what_a_tiny_model_shows_of_the_code_holds_for_trained_weights_too() -> None:
    left_out = {
        "layers": "transformers declares this output and leaves it empty: attentions",
        "draws": "the model draws random numbers: it did",
        "attention": "a choice between alternatives falls otherwise: topk",
        "bf16": "a choice between alternatives falls otherwise: topk",
        "fp16": "rounding its weights alone changes the result as far: by 1",
        "rows": "of no ground that is known",
    }
    found = Architecture(
        "x", None, None, "AutoModel", "XConfig", tiny={"left_out": left_out}, never={"saving": "so"}
    )
    assert set(found.unfit(None)) == {"saving", "layers", "draws", "attention"}
    assert found.draws
    assert not Architecture("x", None, None, "AutoModel", "XConfig").draws
