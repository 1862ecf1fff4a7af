"""Whole, broken and missing files, in folders and in the hub's cache."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rpgen.errors import ModelUnavailableError
from rpgen.models.estimate import from_files
from rpgen.models.local_files import read_cache, read_folder, read_gguf
from tests.unit.models.conftest import Folder, gguf_bytes, safetensors_bytes


def test_a_whole_folder(model_folder: Folder) -> None:
    found = read_folder(model_folder(tokenizer__json={}, preprocessor_config__json={}))
    assert found.whole
    assert found.problem is None
    assert found.tokenizer
    assert found.processor
    assert found.config == {"model_type": "bert"}


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "\ufeff{", "[" * 100_000, "nul"])
def test_a_torn_config_is_an_error_that_names_the_file(model_folder: Folder, text: str) -> None:
    folder = model_folder(config__json=text)
    with pytest.raises(ModelUnavailableError, match=r"config\.json is broken"):
        read_folder(folder)


def test_a_config_in_another_encoding_is_an_error(model_folder: Folder) -> None:
    folder = model_folder()
    (folder / "config.json").write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(ModelUnavailableError, match=r"config\.json is broken"):
        read_folder(folder)


def test_a_config_that_is_a_folder_is_an_error(model_folder: Folder) -> None:
    folder = model_folder()
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    with pytest.raises(ModelUnavailableError, match=r"config\.json can't be read"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (safetensors_bytes({"a": ("F32", [4, 8])}, missing=1), "should hold 128 bytes"),
        (safetensors_bytes({"a": ("F32", [4, 8])}) + b"x", "should hold 128 bytes"),
        (safetensors_bytes({"a": ("F32", [4, 8])})[:20], "header should be"),
        (b"\xff" * 64, "header should be"),
        (b"x", "header should be"),
        ((2).to_bytes(8, "little") + b"[]", "not a JSON object"),
        ((2).to_bytes(8, "little") + b"{]", "not JSON"),
        ((7).to_bytes(8, "little") + b'{"a":1}', "wrongly"),
    ],
)
def test_torn_safetensors_are_told_from_the_header(
    model_folder: Folder, weights: bytes, problem: str
) -> None:
    found = read_folder(model_folder(weights=weights))
    assert found.torn
    assert not found.whole
    assert problem in str(found.problem)
    assert "model.safetensors" in str(found.problem)


def test_no_weights_is_not_torn(model_folder: Folder) -> None:
    found = read_folder(model_folder(weights=None))
    assert not found.torn
    assert not found.whole
    assert "no weights" in str(found.problem)


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    assert "no config.json" in str(read_folder(tmp_path).problem)


def index(**shards: str) -> dict[str, Any]:
    return {"metadata": {}, "weight_map": shards}


def test_shards_are_all_looked_at(model_folder: Folder) -> None:
    folder = model_folder(
        weights=None, model__safetensors__index__json=index(a="1.safetensors", b="2.safetensors")
    )
    (folder / "1.safetensors").write_bytes(safetensors_bytes({"a": ("F16", [10])}))
    missing = read_folder(folder)
    assert missing.torn
    assert "2.safetensors" in str(missing.problem)
    (folder / "2.safetensors").write_bytes(safetensors_bytes({"b": ("F32", [5])}))
    whole = read_folder(folder)
    assert whole.whole
    estimate = from_files(whole)
    assert estimate is not None
    assert (estimate.parameters, estimate.bytes_by_dtype(None)) == (15, 40)
    assert estimate.bytes_by_dtype("bf16") == 30


@pytest.mark.parametrize("content", ["{", "[]", {"x": 1}, {"weight_map": []}])
def test_a_broken_index_is_torn(model_folder: Folder, content: Any) -> None:
    found = read_folder(model_folder(weights=None, model__safetensors__index__json=content))
    assert found.torn


def test_an_index_leads_out_of_no_folder(model_folder: Folder) -> None:
    found = read_folder(
        model_folder(weights=None, model__safetensors__index__json=index(a="../../etc/passwd"))
    )
    assert found.torn
    assert "outside" in str(found.problem)


def test_old_weights_are_found_and_checked(model_folder: Folder) -> None:
    folder = model_folder(weights=None)
    old = folder / "pytorch_model.bin"
    old.write_bytes(b"\x80\x02 an old pickle")
    assert read_folder(folder).whole
    old.write_bytes(b"PK\x03\x04 the end is missing")
    assert read_folder(folder).torn
    old.write_bytes(b"")
    assert read_folder(folder).torn


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(model_folder: Folder) -> None:
    folder = model_folder()
    (folder / "config.json").chmod(0)
    with pytest.raises(ModelUnavailableError, match="can't be read"):
        read_folder(folder)


def test_gguf_is_read_in_the_words_of_a_config(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes("qwen2moe") + bytes(32 + 128))
    found = read_gguf(file)
    assert found.config == {"model_type": "qwen2_moe", "num_hidden_layers": 3}
    assert found.whole
    assert found.gguf == "m.gguf"
    estimate = from_files(found)
    assert estimate is not None
    assert estimate.parameters == 32


@pytest.mark.parametrize("length", [0, 3, 4, 10, 30, 60, 100, 150, 300])
def test_gguf_cut_short_is_an_error(tmp_path: Path, length: int) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes((gguf_bytes() + bytes(128))[:length])
    with pytest.raises(ModelUnavailableError, match="not a whole GGUF file"):
        read_gguf(file)


@pytest.mark.parametrize(
    "content", [b"GGUX" + bytes(100), b"GGUF" + b"\xff" * 100, b"{}", bytes(9)]
)
def test_what_is_not_gguf_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelUnavailableError, match="not a whole GGUF file"):
        read_gguf(file)


def cached(cache: Path, model_folder: Folder, name: str, commit: str = "abc") -> Path:
    repository = cache / name
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    return model_folder(f"hub/{name}/snapshots/{commit}")


def test_a_model_in_the_cache(cache: Path, model_folder: Folder) -> None:
    cached(cache, model_folder, "models--google--vit")
    found = read_cache("google/vit")
    assert found.whole
    assert found.revision == "abc"
    assert read_cache("google/vit", "abc").whole
    other = read_cache("google/vit", "v2")
    assert not other.whole
    assert "revision 'v2'" in str(other.problem)


def test_a_cached_model_in_other_letters_is_named(cache: Path, model_folder: Folder) -> None:
    cached(cache, model_folder, "models--BERT--Base")
    assert "which has 'BERT/Base'" in str(read_cache("bert/base").problem)


def test_a_download_that_stopped_is_not_whole(cache: Path, model_folder: Folder) -> None:
    folder = cached(cache, model_folder, "models--gpt2")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../../blobs/gone")
    found = read_cache("gpt2")
    assert not found.whole
    assert "model.safetensors" in str(found.problem)


def test_a_cache_in_an_odd_place_is_no_crash(cache: Path) -> None:
    cache.rmdir()
    assert "not in the local cache" in str(read_cache("gpt2").problem)
    cache.write_text("a file")
    assert "not in the local cache" in str(read_cache("gpt2").problem)


def test_modules_of_sentence_transformers(model_folder: Folder) -> None:
    modules = [{"idx": 0, "type": "sentence_transformers.models.Transformer", "path": ""}]
    assert read_folder(model_folder(modules__json=modules)).modules == tuple(modules)
    with pytest.raises(ModelUnavailableError, match=r"modules\.json"):
        read_folder(model_folder("other", modules__json={"a": 1}))


def test_a_tokenizer_needs_its_vocabulary(model_folder: Folder) -> None:
    only_settings = {"tokenizer_class": "BertTokenizer"}
    assert not read_folder(model_folder("a", tokenizer_config__json=only_settings)).tokenizer
    of_bytes = {"tokenizer_class": "ByT5Tokenizer"}
    assert read_folder(model_folder("b", tokenizer_config__json=of_bytes)).tokenizer
    assert json.loads((model_folder("c") / "config.json").read_text())
