"""A model whose forward pass a backend computes behaves as the model does."""

import gc
import unittest
import weakref
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from rpgen.backends.attach import attach, computed_of
from rpgen.backends.base import BackendError, ModelIdentity, parse_target
from rpgen.backends.onnxruntime import OnnxRuntimeBackend
from rpgen.checks.elsewhere import cache_must_work, torch_must_compute
from rpgen.models import Checkpoint
from tests.torch.backends.contract import IDS, SAME

HEADS = {
    "gpt2": ("gpt2", "AutoModelForCausalLM"),
    "llama": ("meta-llama/Llama-3.2-1B", "AutoModelForCausalLM"),
    "t5": ("t5-small", "AutoModelForSeq2SeqLM"),
}
LOADED: dict[tuple[str, str], tuple[Any, Any]] = {}


def pair(model_type: str, target: str) -> tuple[Any, Any]:
    """The model on the target, and the same one on torch."""
    key = model_type, target
    if key not in LOADED:
        name, head = HEADS[model_type]
        checkpoint = Checkpoint(name, head, model_type, "tiny")
        model, plain = checkpoint.load_model(), checkpoint.load_model()
        found = parse_target(target)
        assert found is not None
        attach(model, found, ModelIdentity(name, weights="tiny"))
        LOADED[key] = model, plain
    return LOADED[key]


def text(rows: int = 2, length: int = 7) -> dict[str, torch.Tensor]:
    ids = IDS[:rows, :length]
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_other_sizes_need_no_other_preparation(target: str) -> None:
    model, plain = pair("gpt2", target)
    with torch.inference_mode():
        for rows, length in ((2, 7), (1, 4), (2, 3)):
            found, expected = model(**text(rows, length)), plain(**text(rows, length))
            assert type(found) is type(expected)
            assert torch.allclose(found.logits, expected.logits, atol=1e-4)
    computed = computed_of(model)
    assert computed is not None
    told = computed.figures()
    assert told["preparations"] == 1
    assert told["compared"] == 3
    assert told["difference"] < SAME


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_padding_on_the_left_spreads_nothing(target: str) -> None:
    """Rows that may look nowhere are not numbers to some runtimes, which then spreads."""
    model, plain = pair("gpt2", target)
    left = {name: each.flip(1) for name, each in text().items()}
    with torch.inference_mode():
        assert torch.allclose(model(**left).logits, plain(**left).logits, atol=1e-4)


class Entropy(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": -torch.xlogy(x, x).sum(-1)}


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_an_entropy_is_computed_where_its_function_is_unknown(target: str) -> None:
    model, found = Entropy().eval(), parse_target(target)
    assert found is not None
    attach(model, found, ModelIdentity("entropy", weights="none"))
    with torch.inference_mode():
        entropy = model(torch.tensor([[0.0, 1.0], [0.5, 0.5]]))["y"]
    assert torch.allclose(entropy, torch.tensor([0.0, 0.693147]), atol=1e-5)


@pytest.mark.parametrize(("model_type", "target"), [("llama", "onnxruntime"), ("t5", "openvino")])
def test_texts_are_generated_with_the_cache(model_type: str, target: str) -> None:
    model, plain = pair(model_type, target)
    options: dict[str, Any] = {"max_new_tokens": 5, "do_sample": False}
    with torch.inference_mode():
        found = model.generate(**text(1), **options)
        expected = plain.generate(**text(1), **options)
    assert found.tolist() == expected.tolist()
    computed = computed_of(model)
    assert computed is not None
    assert computed.figures()["cache"] == "generation with the cache of the exported decoder"
    assert computed.figures()["runs"] > 1


def test_the_cache_that_was_given_is_written_to() -> None:
    from transformers import DynamicCache

    model, plain = pair("gpt2", "onnxruntime")
    caches = [DynamicCache(), DynamicCache()]
    with torch.inference_mode():
        for one, cache in zip((model, plain), caches, strict=True):
            first = one(IDS[:1, :4], past_key_values=cache, use_cache=True)
            assert first.past_key_values is cache
            one(IDS[:1, 4:5], past_key_values=cache, use_cache=True)
    assert caches[0].get_seq_length() == caches[1].get_seq_length() == 5
    for mine, theirs in zip(caches[0].layers, caches[1].layers, strict=True):
        assert torch.allclose(mine.keys, theirs.keys, atol=1e-5)


def test_a_cache_that_does_not_work_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    name, head = HEADS["gpt2"]
    model = Checkpoint(name, head, "gpt2", "tiny").load_model()
    found = parse_target("onnxruntime")
    assert found is not None
    computed = attach(model, found, ModelIdentity(name, weights="tiny"))
    plain = OnnxRuntimeBackend.prepare

    def without_cache(self: Any, call: Any, inputs: Any, *rest: Any) -> Any:
        if any("past_key_values" in name for name in (*inputs, *call.output_names)):
            raise BackendError("it has no cache")
        return plain(self, call, inputs, *rest)

    monkeypatch.setattr(OnnxRuntimeBackend, "prepare", without_cache)
    with torch.inference_mode():
        config = GenerationConfig(max_new_tokens=3, do_sample=False, pad_token_id=0)
        written = model.generate(text(1)["input_ids"], config)  # by position, as torch takes them
    assert written.shape[1] == 10
    assert computed.figures()["cache"] == "forward only, no cache: it has no cache"
    with pytest.raises(unittest.SkipTest, match="computes without a cache: it has no cache"):
        cache_must_work(model, text(1))


def test_what_is_torchs_own_is_skipped_with_the_backends_name() -> None:
    model, plain = pair("gpt2", "onnxruntime")
    torch_must_compute(plain, "gradients are")
    cache_must_work(plain, text(1))
    with pytest.raises(
        unittest.SkipTest,
        match="onnxruntime computes the forward pass only: gradients are torch's",
    ):
        torch_must_compute(model, "gradients are")


def test_it_stays_the_model_that_it_is() -> None:
    model, plain = pair("gpt2", "onnxruntime")
    assert type(model) is type(plain)
    assert model.config.to_dict() == plain.config.to_dict()
    assert [name for name, _ in model.named_parameters()] == [
        n for n, _ in plain.named_parameters()
    ]
    assert model.device.type == "cpu"


def test_a_model_that_is_gone_takes_its_preparations_along() -> None:
    name, head = HEADS["gpt2"]
    model = Checkpoint(name, head, "gpt2", "tiny").load_model()
    found = parse_target("onnxruntime")
    assert found is not None
    computed = attach(model, found, ModelIdentity(name, weights="tiny"))
    model(**text())
    assert computed.held_bytes > 0
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert computed.held_bytes == 0


def test_a_model_that_draws_is_skipped() -> None:
    name, head = HEADS["gpt2"]
    model = Checkpoint(name, head, "gpt2", "tiny").load_model()
    model.train()  # dropout draws
    found = parse_target("onnxruntime")
    assert found is not None
    attach(model, found, ModelIdentity(name, weights="tiny"))
    before = torch.get_rng_state()
    with pytest.raises(unittest.SkipTest, match="draws random numbers"):
        model(**text())
    assert torch.equal(before, torch.get_rng_state())
