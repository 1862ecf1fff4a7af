"""What a backend gives is compared with torch's result for the same inputs, and fails beyond."""

import json
from typing import Any

import pytest
import torch

from rpgen.backends.account import MOST_COMPARED, Account
from rpgen.backends.base import LostError
from rpgen.backends.figures import SAME, differences
from rpgen.backends.forward import OtherResultError
from tests.torch.backends.fake import Held


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.layer(x)}


def rows(count: int, start: float = -1.0) -> torch.Tensor:
    return torch.linspace(start, start + 2.0, 4 * count).reshape(count, 4)


def fail(found: Any) -> Any:
    raise LostError("the browser is gone")


def scaled(by: float) -> Any:
    return lambda found: {name: each * by for name, each in found.items()}


def first_rows(found: Any) -> Any:
    return {name: each[:1] for name, each in found.items()}


@pytest.mark.parametrize("count", [3, 5])
def test_a_first_run_that_failed_leaves_no_reference_behind(count: int) -> None:
    held = Held(Layer().eval())
    held.backend.change = fail
    with pytest.raises(LostError):
        held(x=rows(3))
    held.backend.change = lambda found: found
    held(x=rows(count, start=7.0))
    assert held.backend.prepared == 1
    assert held.figures["compared"] == 1
    assert held.figures["difference"] < SAME


def test_what_differs_fails_every_time_and_stands_in_the_figures() -> None:
    held = Held(Layer().eval())
    held.backend.change = scaled(1.01)
    for _ in range(2):
        with pytest.raises(OtherResultError, match=r"differs from torch by .* in y \(1\.0e-04 is"):
            held(x=rows(3))
    held.backend.change = lambda found: found
    held(x=rows(5))
    assert held.figures["difference"] > 1e-3
    assert held.figures["difference_in"] == "y"
    assert held.figures["compared"] == 2


@pytest.mark.parametrize("what", ["sizes", "no number"])
def test_what_can_not_be_compared_fails_and_the_figures_stay_json(what: str) -> None:
    held = Held(Layer().eval())
    held.backend.change = first_rows if what == "sizes" else scaled(float("nan"))
    with pytest.raises(OtherResultError, match="other sizes, or no number where torch has one, in"):
        held(x=rows(3))
    assert (held.figures["difference"], held.figures["difference_in"]) == (None, "y")
    json.dumps(held.figures, allow_nan=False)


def test_what_is_shut_out_hides_no_difference() -> None:
    expected = torch.tensor([0.1, -0.2, 0.3, torch.finfo(torch.float32).min])
    found = expected.clone()
    (same,) = differences({"outputs.y": found}, {"outputs.y": expected}, depth=1)
    assert (same.relative, same.is_beyond) == (0.0, False)
    found[0] += 0.01
    (other,) = differences({"outputs.y": found}, {"outputs.y": expected}, depth=1)
    assert other.is_beyond


def test_deep_models_and_large_values_may_be_further_apart() -> None:
    spread = torch.tensor([-1.0, 1.0])
    far = torch.tensor([1e6 - 1.0, 1e6 + 1.0])
    for expected, depth in ((spread, 100), (far, 1)):
        found = {"y": expected * (1.0 + 2.0e-4 if depth == 100 else 1.0 + 1e-7)}
        (each,) = differences(found, {"y": expected}, depth)
        assert each.allowed > SAME
        assert not each.is_beyond


class Choosing(torch.nn.Module):
    """Takes one of two experts that are almost equally good."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        self.experts = torch.nn.Parameter(torch.tensor([1.0, -1.0]))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": x * self.experts[self.scores.argmax()], "z": x * self.experts[0]}


def test_a_choice_among_equals_is_told_and_does_not_fail() -> None:
    held = Held(Choosing().eval())
    held.backend.change = lambda found: {**found, "outputs.y": -found["outputs.y"]}
    held(x=rows(3))
    assert held.figures["difference"] > 1.0
    (note,) = held.figures["notes"]
    assert note.startswith("rounding alone moves torch's own y: ")


def test_beside_such_a_choice_the_rest_must_agree() -> None:
    held = Held(Choosing().eval())
    held.backend.change = scaled(1.01)
    with pytest.raises(OtherResultError, match="in z"):
        held(x=rows(3))


def test_beyond_some_sizes_every_doubling_is_compared() -> None:
    account = Account("fake")
    due = [account.is_due((1, ((n,),)), is_free=False) for n in range(1, 129)]
    assert [n for n, is_due in enumerate(due, 1) if is_due] == [
        *range(1, MOST_COMPARED + 1),
        *(32, 64, 128),
    ]
    assert not account.is_due((1, ((3,),)), is_free=False)
    assert account.is_due((2, ((3,),)), is_free=True)  # a new preparation brings its reference
