"""Somebody's own implementation against a reference."""

from typing import Any

import pytest
import torch

from rpgen import checks

torch.manual_seed(3)
LAYER = torch.nn.Linear(8, 4)
INPUTS = [torch.randn(2, 8), torch.randn(5, 8)]


def reference(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"sum": LAYER(x), "norm": LAYER(x).norm(dim=-1)}


def test_another_way_to_the_same_numbers_is_no_difference() -> None:
    def mine(x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = torch.einsum("bi,oi->bo", x, LAYER.weight) + LAYER.bias
        return {"sum": y, "norm": y.pow(2).sum(-1).sqrt()}

    result = checks.validate(mine, reference, INPUTS)
    assert result
    assert (result.inputs, result.tensors) == (2, 4)
    assert "no difference" in str(result)
    result.require()


def test_every_difference_is_told_at_once() -> None:
    def mine(x: torch.Tensor) -> dict[str, torch.Tensor]:
        wrong = LAYER(x).clone()
        wrong[-1, 2] += 0.5
        x.mul_(2)
        return {"sum": wrong, "extra": wrong}

    result = checks.validate(mine, reference, INPUTS)
    told = [str(each) for each in result.differences]
    assert not result
    assert any("input 0: outputs.sum: differs by 0.5 at [1, 2]" in line for line in told)
    assert any("input 1: outputs.sum: differs by 0.5 at [4, 2]" in line for line in told)
    assert sum("outputs.norm is missing" in line for line in told) == 2
    assert sum("outputs.extra is not in the reference" in line for line in told) == 2
    assert sum("was changed by the model" in line for line in told) == 2
    with pytest.raises(AssertionError, match=r"4 tensors on 2 inputs compared: 8 differences"):
        result.require()


def test_what_it_raises_and_what_it_draws_are_differences() -> None:
    def raises(x: torch.Tensor) -> Any:
        raise RuntimeError("no kernel")

    def draws(x: torch.Tensor) -> torch.Tensor:
        return LAYER(x) + torch.randn(4)

    def plain(x: torch.Tensor) -> torch.Tensor:
        return LAYER(x)

    (found,) = checks.validate(raises, plain, INPUTS[:1]).differences
    assert found.message == "RuntimeError: no kernel"
    told = str(checks.validate(draws, plain, INPUTS[:1]))
    assert "run twice" in told


def test_inputs_by_name_by_position_and_as_one_value() -> None:
    def weighted(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return LAYER(x) * scale

    pair = (INPUTS[0], torch.tensor(2.0))
    assert checks.validate(weighted, weighted, [pair, {"x": pair[0], "scale": pair[1]}])
    with pytest.raises(ValueError, match="no input"):
        checks.validate(weighted, weighted, [])


def test_half_precision_is_judged_as_half_precision() -> None:
    def half(x: torch.Tensor) -> torch.Tensor:
        return LAYER(x).to(torch.bfloat16).float()

    assert not checks.validate(half, LAYER, INPUTS)
    assert checks.validate(half, LAYER, INPUTS, dtype=torch.bfloat16)
    assert not checks.validate(lambda x: LAYER(x).argmax(-1), LAYER, INPUTS)
