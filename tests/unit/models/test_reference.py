"""What is a hub id, what is a path, and what is neither."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.errors import ModelUnavailableError, UsageError
from rpgen.models import reference as ref
from rpgen.models.reference import ReferenceKind, local_files, parse_reference


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "\n", "a\nb", "a\tb", "a\x00b", "a\x1b[31m", "a'b", 'a"b', "a{b}", "{{7*7}}",
        "a`b`", "a;b", "a$b", "a b", "a\\b", "a/b/c", "a..b", "..a", "a--b", "-a", ".a", "a-",
        "a.", "a/", "/".join("abc"), "x" * 97, "x" * 5000, "é", "模型", "a.git", "missing.gguf",
        "\u202egpt2", "a\udcff", "datasets/x/y", "https://huggingface.co/gpt2", "a@b", "a:b",
    ],
)  # fmt: skip
def test_what_can_be_no_model_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_reference(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["gpt2", "bert-base-uncased", "google/vit-base-patch16-224", "a"])
def test_a_hub_id_is_its_own_name(text: str) -> None:
    found = parse_reference(f" {text} ", revision="main")
    assert (found.kind, found.name, found.revision) == (ReferenceKind.HUB, text, "main")


def test_a_folder_named_like_a_model_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert parse_reference("gpt2").kind is ReferenceKind.HUB
    assert parse_reference("./gpt2").kind is ReferenceKind.FOLDER
    (tmp_path / "gpt2" / "config.json").write_text("{}")
    assert parse_reference("gpt2").kind is ReferenceKind.FOLDER


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "it's a {model}").mkdir()
    (tmp_path / "m.GGUF").write_bytes(b"")
    for text in ("./it's a {model}", "it's a {model}", "~/it's a {model}"):
        assert parse_reference(text).name == str(tmp_path / "it's a {model}")
    assert parse_reference("m.GGUF").kind is ReferenceKind.GGUF


def test_a_file_that_is_not_gguf_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"not a \.gguf file"):
        parse_reference(str(tmp_path / "weights.bin"))


def test_a_path_that_is_not_there_is_said_to_be_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="check the path"):
        local_files(parse_reference(str(tmp_path / "gone")))


def test_a_loop_of_links_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ModelUnavailableError):
        local_files(parse_reference(str(tmp_path / "a")))


@pytest.mark.parametrize("revision", ["", "a b", "../main", "a..b", "-x", "a\n", "x" * 300])
def test_a_revision_is_a_plain_name(revision: str) -> None:
    with pytest.raises(UsageError, match="revision"):
        parse_reference("gpt2", revision)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bert-base-uncased", "test_hf_bert_base_uncased.py"),
        ("google/vit-base-patch16-224", "test_hf_google_vit_base_patch16_224.py"),
        ("Qwen/Qwen2.5-0.5B", "test_hf_qwen_qwen2_5_0_5b.py"),
        ("/models/My Model", "test_hf_my_model.py"),
        ("/models/SmolLM2.Q4_1.gguf", "test_hf_smollm2_q4_1.py"),
    ],
)
def test_the_test_file_is_named_for_the_model(text: str, expected: str) -> None:
    assert ref.test_file_name(parse_reference(text)) == expected


def test_a_name_without_plain_letters_still_names_a_file() -> None:
    one, other = parse_reference("/models/模型"), parse_reference("/models/型模")
    names = {ref.test_file_name(one), ref.test_file_name(other)}
    assert len(names) == 2
    assert all(name.isascii() and name.startswith("test_hf_") for name in names)


@given(st.text(max_size=300))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except UsageError:
        return
    assert ref.test_file_name(found).isascii()
    assert os.sep not in ref.test_file_name(found)
    assert found.kind is not ReferenceKind.HUB or ref.is_hub_id(found.name)
