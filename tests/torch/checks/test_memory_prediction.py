"""Predicted memory against what a model and a run of it take, counted and not sampled."""

import unittest
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rpgen import checks
from rpgen.checks.memory import MB, peak_of_a_run
from rpgen.models import Checkpoint

GPT2 = Checkpoint("gpt2", auto_class="AutoModelForCausalLM", model_type="gpt2", weights="tiny")


def inputs() -> dict[str, torch.Tensor]:
    return {"input_ids": torch.arange(5, 29).reshape(2, 12)}


class Holding(torch.nn.Module):
    """Makes `steps` tensors of a MB one after another, and keeps all of them or the last."""

    def __init__(self, steps: int, keeps: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2**18))
        self.steps, self.keeps = steps, keeps

    def forward(self, x: torch.Tensor) -> Any:
        made: list[torch.Tensor] = []
        for _ in range(self.steps):
            if not self.keeps:
                made.clear()
            made.append(self.weight + x)
        return {"views": [self.weight.t(), made[-1].view(2, -1)]}


def test_a_run_takes_what_is_alive_at_one_time() -> None:
    given = {"x": torch.ones(1)}
    assert peak_of_a_run(Holding(8, keeps=True), given) == 8 * MB
    assert peak_of_a_run(Holding(8, keeps=False), given) == MB


def test_the_count_is_the_same_every_time() -> None:
    model = GPT2.load_model()
    assert len({peak_of_a_run(model, inputs()) for _ in range(5)}) == 1


def test_a_healthy_model_is_as_predicted_and_a_wasteful_one_is_not() -> None:
    model = GPT2.load_model()
    checks.assert_memory_as_predicted(model, GPT2, inputs(), "text_generation")
    forward = model.forward

    def wasteful(**given: Any) -> Any:
        room = torch.empty(2**26)
        outputs = forward(**given)
        assert room.numel()
        return outputs

    model.forward = wasteful
    with pytest.raises(AssertionError, match=r"a run takes 256\.\d MB .* up to 64\.0 MB"):
        checks.assert_memory_as_predicted(model, GPT2, inputs(), "text_generation")


def test_a_run_may_take_a_few_times_what_it_gives_out() -> None:
    model = GPT2.load_model()
    forward = model.forward

    def generous(**given: Any) -> Any:
        outputs = forward(**given)
        outputs.logits = outputs.logits.new_ones(2**24) + torch.ones(2**24)
        return outputs

    model.forward = generous
    checks.assert_memory_as_predicted(model, GPT2, inputs(), "text_generation")


def test_weights_that_are_held_twice_are_not_as_predicted() -> None:
    model = GPT2.load_model()
    model.register_buffer("more", torch.zeros(2**20), persistent=False)
    with pytest.raises(AssertionError, match=r"the weights take 5\.6 MB, 1\.6 MB were predicted"):
        checks.assert_memory_as_predicted(model, GPT2, inputs(), "general")


def test_a_size_that_nobody_knows_is_a_skip() -> None:
    unknown = SimpleNamespace(bytes_by_dtype=lambda dtype: None)
    checkpoint = SimpleNamespace(name="mine", estimate=lambda: unknown)
    with pytest.raises(unittest.SkipTest, match="nothing tells the size of mine"):
        checks.assert_memory_as_predicted(GPT2.load_model(), checkpoint, inputs(), "vision")
