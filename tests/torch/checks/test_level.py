"""How thorough the checks are, and batches of pictures that do not fit."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rpgen import checks
from rpgen.checks.level import SCALES, Level, choose_level, free_mb_on, refusal, scale_now
from rpgen.checks.told import TOLD
from rpgen.pool.budgets import MEMORY


@pytest.fixture(autouse=True)
def _nothing_told() -> Iterator[None]:
    TOLD.reset()
    yield
    TOLD.reset()


def test_the_level_follows_the_memory_unless_one_is_asked_for() -> None:
    assert choose_level(None, free_mb=300, weights=100)[0] is Level.MINIMAL
    assert choose_level(None, free_mb=600, weights=100)[0] is Level.NORMAL
    assert choose_level(None, free_mb=None, weights=100)[0] is Level.NORMAL
    assert choose_level(Level.THOROUGH, free_mb=1, weights=100) == (Level.THOROUGH, "asked for")
    assert "300 MB are free" in choose_level(None, free_mb=300, weights=100)[1]


def test_copies_follow_the_level_and_the_memory() -> None:
    normal, thorough = SCALES[Level.NORMAL], SCALES[Level.THOROUGH]
    assert refusal(normal, 400, 480, 8000) is None
    assert "512 MB" in (refusal(normal, 600, 720, 8000) or "")
    assert refusal(thorough, 600, 720, 8000) is None
    assert refusal(thorough, 600, 720, 700) == "it needs 720 MB beside the model, 700 MB are free"
    assert "no second copy" in (refusal(SCALES[Level.MINIMAL], 1, 1, 8000) or "")


def test_a_higher_level_does_more_of_everything() -> None:
    levels = [SCALES[level] for level in Level]
    for name in ("batch", "stretch", "runs", "places", "pieces", "largest_copy_mb"):
        amounts = [getattr(scale, name) for scale in levels]
        assert amounts == sorted(amounts), name
        assert amounts[0] < amounts[-1], name
    own = ["one", "two", "three"]
    assert [len(scale.texts(own)) for scale in levels] == [2, 3, 5]
    assert levels[-1].texts(own)[-1] == "one two three"


def test_the_scale_of_a_file_is_that_of_its_checks_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RPGEN_LEVEL", "thorough")
    assert scale_now().level is Level.THOROUGH
    monkeypatch.delenv("RPGEN_LEVEL")
    assert checks.scale_for(torch.nn.Linear(2, 2)).level is Level.NORMAL
    monkeypatch.setenv("RPGEN_LEVEL", "minimal")
    assert scale_now().level is Level.NORMAL
    assert TOLD.level == "normal"
    assert "MB are free" in (TOLD.reason or "")


def test_a_budget_is_all_the_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY, "10")
    assert free_mb_on(torch.device("cpu")) == 10
    assert checks.scale_for(torch.nn.Linear(2, 2)).level is Level.MINIMAL


class Narrow(torch.nn.Module):
    """Takes so many pictures at once, and says for more that memory has run out."""

    def __init__(self, most: int, error: type[Exception] = torch.OutOfMemoryError) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.most, self.error = most, error

    def forward(self, pixel_values: torch.Tensor) -> Any:
        if len(pixel_values) > self.most:
            raise self.error("tried to allocate 2.00 GiB")
        return SimpleNamespace(logits=pixel_values)


def processed(images: list[int], return_tensors: str) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.ones(len(images), 3, 2, 2)}


def test_a_batch_that_does_not_fit_is_halved_and_told() -> None:
    assert checks.images_that_fit(Narrow(8), processed, [*range(8)]) == [*range(8)]
    assert TOLD.remarks == []
    assert checks.images_that_fit(Narrow(2), processed, [*range(8)]) == [0, 1]
    assert [remark.partition(" (")[0] for remark in TOLD.remarks] == [
        "a batch of 8 pictures did not fit on cpu: halved to 4",
        "a batch of 4 pictures did not fit on cpu: halved to 2",
    ]
    assert "2.00 GiB" in TOLD.remarks[0]


def test_what_does_not_fit_alone_and_other_errors_are_errors() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        checks.images_that_fit(Narrow(0), processed, [1, 2, 3])
    with pytest.raises(RuntimeError, match="tried to allocate"):
        checks.images_that_fit(Narrow(1, RuntimeError), processed, [1, 2, 3])
