"""When a model is prepared anew, what stays untouched by that, and whose figures are whose."""

import threading
from typing import Any

import pytest
import torch

from rpgen.backends.account import Account
from rpgen.backends.attach import Computed
from rpgen.backends.base import (
    BackendError,
    FallbackError,
    LostError,
    NotPreparedError,
    parse_target,
)
from tests.torch.backends.fake import Held


class Doubling(torch.nn.Module):
    """Which twice as much in training."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)  # how far a result is off depends on its spread
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.layer(x) * (2.0 if self.training else 1.0)}


X = torch.linspace(-1.0, 1.0, 12).reshape(3, 4)


def test_a_model_in_training_is_another_and_stays_in_training() -> None:
    model = Doubling().eval()
    held = Held(model)
    once = held(x=X)["y"]
    model.train()
    assert torch.allclose(held(x=X)["y"], 2 * once)
    assert held.backend.prepared == 2
    assert all(each.training for each in model.modules())
    model.eval()
    assert torch.allclose(held(x=X)["y"], once)
    assert held.backend.prepared == 2


@pytest.mark.parametrize("how", ["in place", "other data"])
def test_other_weights_are_prepared_anew_and_the_old_ones_go(how: str) -> None:
    model = Doubling().eval()
    held = Held(model)
    held(x=X)
    with torch.no_grad():
        if how == "in place":
            model.layer.weight.mul_(3.0)
        else:
            model.layer.weight.data = model.layer.weight.data * 3.0
    found = held(x=X)["y"]
    with torch.inference_mode():
        assert torch.allclose(found, model(X)["y"])
    assert (held.backend.prepared, held.backend.released) == (2, 1)
    assert held.forward.held_copies == 1


def test_nobody_waits_for_a_preparation_who_needs_none() -> None:
    """A second thread takes what is there, and asks for figures, while another is being made."""
    held = Held(Doubling().eval())
    held(x=X)
    seen: list[Any] = []

    def other() -> None:
        seen.append(held(x=X)["y"])
        seen.append(held.forward.held_copies)

    def meanwhile() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(timeout=30)

    held.backend.meanwhile = meanwhile
    held(x=X[None])
    assert seen[1:] == [1]


def test_what_is_in_use_is_not_released() -> None:
    held = Held(Doubling().eval(), most_prepared=1)

    def other(found: Any) -> Any:
        held.backend.change = lambda found: found
        held(x=X[None])  # another preparation, while the first one runs
        return found

    held.backend.change = other
    held(x=X)
    assert held.backend.released == 0
    held(x=X[None, None])
    assert held.forward.held_copies == 1


def test_who_has_the_model_next_has_figures_of_its_own() -> None:
    held = Held(Doubling().eval())
    held(x=X)
    held(x=X)
    first, held.account = held.account, Account("fake")
    held.backend.change = lambda found: {name: each * 1.00005 for name, each in found.items()}
    held(x=X)
    before, after = first.figures(), held.account.figures()
    assert (before.preparations, before.runs, before.compared, before.difference) == (1, 2, 1, 0.0)
    assert (after.preparations, after.runs, after.compared) == (0, 1, 1)
    assert after.difference is not None
    assert after.difference > 0.0
    assert after.computed_by == before.computed_by
    assert after.nodes == before.nodes


def computed() -> Computed:
    target = parse_target("onnxruntime")
    assert target is not None
    return Computed(target, 0)


@pytest.mark.parametrize("error", [LostError, FallbackError, BackendError])
def test_what_passes_does_not_turn_the_cache_off(error: type[BackendError]) -> None:
    model, calls = computed(), []

    def plain(**options: Any) -> str:
        calls.append(options)
        if len(calls) == 1:
            raise error("gone")
        return "text"

    with pytest.raises(error, match="gone"):
        model.generate(plain, {})
    assert model.without_cache is None
    assert model.generate(plain, {}) == "text"
    assert model.figures()["cache"] == "generation with the cache of the exported decoder"
    with pytest.raises(error):
        model.can_cache(lambda: plain_error(error))


def plain_error(error: type[BackendError]) -> None:
    raise error("gone")


def test_what_can_not_be_prepared_at_all_is_no_matter_of_the_cache() -> None:
    model = computed()

    def plain(**options: Any) -> str:
        raise NotPreparedError("no such operator")

    with pytest.raises(NotPreparedError):
        model.generate(plain, {})
    assert model.without_cache is None


def test_the_cache_that_a_configuration_forgoes_is_not_told() -> None:
    class Config:
        use_cache = False

    model = computed()
    assert model.generate(lambda **options: "text", {"generation_config": Config()}) == "text"
    assert model.figures()["cache"] is None
