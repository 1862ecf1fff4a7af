"""No hub, a silent hub, and a Checkpoint that only looks and imports nothing heavy."""

import copy
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from rpgen.errors import ModelUnavailableError
from rpgen.models import Checkpoint, hub
from rpgen.models.deadline import while_growing
from rpgen.models.weights import Weights
from tests.unit.models.conftest import Folder


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    hub.forget_reach()
    yield
    hub.forget_reach()


@pytest.fixture
def silent_hub() -> Iterator[int]:
    """Takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_offline_is_said_without_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert hub.hub_reach() == (False, "HF_HUB_OFFLINE is set")


def test_nobody_listens(online: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    reached, reason = hub.hub_reach()
    assert not reached
    assert "can't be reached" in reason


def test_a_name_server_that_hangs_is_not_waited_for(
    online: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.example")

    def hang(*_arguments: object) -> None:
        release.wait(30)
        raise OSError("at last")

    monkeypatch.setattr(socket, "create_connection", hang)
    reached, reason = hub.hub_reach(0.05)
    release.set()
    assert not reached
    assert "does not answer" in reason


def test_a_proxy_is_the_first_hop(online: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert hub._first_hop("https", "huggingface.co", None) == ("proxy.example", 3128)
    monkeypatch.setenv("no_proxy", "huggingface.co")
    assert hub._first_hop("https", "huggingface.co", None) == ("huggingface.co", 443)


def test_a_silent_hub_gives_no_answer(
    online: None, silent_hub: int, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent_hub}")
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.2)
    assert hub.hub_reach()[0]
    checkpoint = Checkpoint("gpt2", model_type="gpt2")
    choice = checkpoint.choice()
    assert choice.kind is Weights.TINY
    assert "does not answer" in choice.reason
    assert not hub.hub_reach()[0]  # nobody waits a second time
    with pytest.raises(ModelUnavailableError, match="does not answer"):
        Checkpoint("gpt2", weights="pretrained").choice()


def test_a_download_that_stalls_is_given_up(
    online: None, silent_hub: int, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent_hub}")
    monkeypatch.setattr(hub, "STALL_SECONDS", 0.2)
    with pytest.raises(ModelUnavailableError, match=r"nothing arrived for 0\.2 s"):
        hub.fetch("gpt2")


def test_a_slow_download_is_waited_for() -> None:
    arrived = iter(range(100))
    step = threading.Event()

    def work() -> str:
        step.wait(0.12)
        return "here"

    assert while_growing(work, lambda: next(arrived), 0.02) == "here"


def test_pretrained_without_a_hub_is_an_error(cache: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="HF_HUB_OFFLINE is set"):
        Checkpoint("bert-base-uncased", weights="pretrained").choice()


def test_the_choice_is_made_once(model_folder: Folder) -> None:
    folder = model_folder()
    checkpoint = Checkpoint(str(folder))
    first = checkpoint.choice()
    (folder / "model.safetensors").unlink()
    assert checkpoint.choice() is first
    assert Checkpoint(str(folder), weights="tiny").choice().kind is Weights.TINY


def test_a_torn_folder_is_an_error(model_folder: Folder) -> None:
    folder = model_folder(weights=b"\x10" * 40)
    with pytest.raises(ModelUnavailableError, match=r"model\.safetensors is torn"):
        Checkpoint(str(folder)).choice()


def test_looking_needs_no_torch(model_folder: Folder) -> None:
    before = "torch" in sys.modules
    checkpoint = Checkpoint(str(model_folder()), auto_class="AutoModelForMaskedLM")
    assert checkpoint.describe()["weights"] == "pretrained"
    assert checkpoint.describe()["model_type"] == "bert"
    assert checkpoint.estimate().source.startswith("safetensors headers")
    assert checkpoint.estimate().parameters is not None
    assert checkpoint.pool_options() == {
        "auto_class": "AutoModelForMaskedLM",
        "weights": "pretrained",
        "revision": None,
    }
    assert ("torch" in sys.modules) == before


def test_a_checkpoint_can_be_compared_copied_and_sent(model_folder: Folder) -> None:
    checkpoint = Checkpoint(str(model_folder()), options={"num_labels": 3})
    checkpoint.choice()
    assert copy.deepcopy(checkpoint) == checkpoint
    assert pickle.loads(pickle.dumps(checkpoint)) == checkpoint
    assert len({checkpoint, Checkpoint(checkpoint.name, options={"num_labels": 3})}) == 1


def test_pooling_of_sentence_transformers(model_folder: Folder) -> None:
    kinds = ("Transformer", "Pooling", "Normalize")
    paths = ("", "1_Pooling", "2_Normalize")
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": path}
        for kind, path in zip(kinds, paths, strict=True)
    ]
    folder = model_folder(modules__json=modules)
    (folder / "1_Pooling").mkdir()
    settings = folder / "1_Pooling" / "config.json"
    settings.write_text('{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}')
    checkpoint = Checkpoint(str(folder))
    assert checkpoint.pooling() == "cls"
    assert checkpoint.normalises()
    settings.unlink()
    assert Checkpoint(str(folder)).pooling() == "mean"
    assert Checkpoint(str(model_folder("plain"))).pooling() is None
