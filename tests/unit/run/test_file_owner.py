"""A file as the owner of what it takes from the pool, with a small pool in place of the real."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType

import pytest

from rpgen.run.owner import FileOwner, loaded_pool


class Dtype(StrEnum):
    FP32 = "fp32"


@dataclass(frozen=True)
class Use:
    key: str
    dtype: Dtype
    measured_mb: float
    degraded: str | None = None


class Pool:
    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def owner(self, name: str) -> Iterator[None]:
        self.said.append(f"enter {name}")
        yield
        self.said.append(f"leave {name}")

    def expect(self, keys: Sequence[str], tell: object = None) -> None:
        self.said.append(f"expect {' '.join(keys)}")

    def uses(self, name: str) -> tuple[Use, ...]:
        return (Use("k", Dtype.FP32, 1.5),)

    def cleanup_unused_resources(self, max_age_minutes: float) -> int:
        self.said.append(f"clean {max_age_minutes}")
        return 0


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = Pool()
    module = ModuleType("rpgen.resource_pool")
    module.get_global_resource_pool = lambda: pool  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rpgen.resource_pool", module)
    return pool


def test_a_file_enters_once_and_leaves_before_the_clean_up(pool: Pool) -> None:
    owner = FileOwner("f")
    owner.enter()
    owner.enter()
    assert owner.uses() == ({"key": "k", "dtype": "fp32", "measured_mb": 1.5, "degraded": None},)
    owner.announce(("a:b", "c:d"), {"a:b": "f", "c:d": "g"})
    owner.leave(0.5)
    said = ["enter f", "expect a:b c:d", "leave f", "expect c:d", "clean 0.5"]
    assert pool.said == said
    assert owner.uses() == ()


def test_without_a_pool_nothing_happens_and_nothing_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "rpgen.resource_pool", raising=False)
    owner = FileOwner("f")
    owner.enter()
    assert owner.uses() == ()
    owner.leave(0.5)
    assert "rpgen.resource_pool" not in sys.modules
    monkeypatch.setitem(sys.modules, "rpgen.resource_pool", ModuleType("half imported"))
    assert loaded_pool() is None
