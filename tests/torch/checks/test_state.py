"""What a test changed of a model and of torch's switches."""

import pytest
import torch

from rpgen.checks.state import (
    ModelState,
    changes,
    restore_flags,
    restore_switches,
    switches_now,
)
from rpgen.checks.variants import in_dtype


def model() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)).eval()


def told(before: ModelState, after: ModelState) -> list[str]:
    return [change.what for change in changes(before, after)]


def test_reading_a_model_changes_nothing() -> None:
    made = model()
    before = ModelState.of(made)
    with torch.inference_mode():
        made(torch.ones(2, 4))
    made(torch.ones(2, 4)).sum().backward()
    with in_dtype(made, torch.bfloat16):
        made(torch.ones(2, 4, dtype=torch.bfloat16))
    assert changes(before, ModelState.of(made)) == []


def test_flags_are_named_and_put_back() -> None:
    made = model()
    before = ModelState.of(made)
    made.train()
    made[0].requires_grad_(False)
    found = changes(before, ModelState.of(made))
    assert [change.what for change in found] == [
        "training mode of the model and 2 more",
        "requires_grad of 0.weight and 1 more",
    ]
    assert all(change.undone_by_flags for change in found)
    restore_flags(made, before)
    assert changes(before, ModelState.of(made)) == []


def test_values_hooks_and_dtypes_need_a_new_load() -> None:
    made = model()
    before = ModelState.of(made)
    with torch.no_grad():
        made[0].weight.mul_(2)
    made[0].register_forward_hook(lambda *_: None)
    found = changes(before, ModelState.of(made))
    assert [change.what for change in found] == ["hooks on 0", "values written to 0.weight"]
    assert not any(change.undone_by_flags for change in found)
    assert told(before, ModelState.of(made.to(torch.float64))) == [
        "hooks on 0",
        "dtype of 0.weight and 5 more",
    ]


def test_a_tensor_that_came_or_went() -> None:
    made = model()
    before = ModelState.of(made)
    made.register_parameter("extra", torch.nn.Parameter(torch.ones(1)))
    assert told(before, ModelState.of(made)) == ["tensors added or removed: extra"]


def test_running_statistics_are_values_too() -> None:
    made = model()
    before = ModelState.of(made)
    made.train()
    made(torch.randn(8, 4))
    made.eval()
    assert any("values written to 1." in line for line in told(before, ModelState.of(made)))


@pytest.mark.parametrize(
    ("flip", "words"),
    [
        (lambda: torch.set_default_dtype(torch.float64), "default dtype: torch.float32 became"),
        (lambda: torch.set_grad_enabled(False), "gradients: True became False"),
        (lambda: torch.use_deterministic_algorithms(True), "deterministic algorithms: False"),
        (lambda: torch.set_default_device("meta"), "default device: cpu became meta"),
        (lambda: torch.set_num_threads(1 + torch.get_num_threads()), "threads"),
    ],
)
def test_switches_are_named_and_put_back(flip: object, words: str) -> None:
    before = switches_now()
    assert callable(flip)
    flip()
    (line,) = restore_switches(before)
    assert words in line
    assert switches_now() == before
    assert restore_switches(before) == []
