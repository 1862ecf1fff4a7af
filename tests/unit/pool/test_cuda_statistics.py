"""`get_stats()["cuda_memory"]`, with a torch that has GPUs in the place of the one here."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rpgen.hardware import memory
from rpgen.pool.statistics import cuda_memory

MB = 2**20
KEYS = {
    "id", "name", "total_mb", "allocated_mb", "reserved_mb", "free_mb", "percent_used",
    "under_pressure", "utilization_percent", "has_tensor_cores",
}  # fmt: skip


def a_torch(*, hip: str | None = None, initialized: bool = True) -> Any:
    def no_library(index: int) -> int:
        raise ModuleNotFoundError("pynvml")

    facts = {
        0: SimpleNamespace(name="one", total_memory=1000 * MB, major=7, minor=0),
        1: SimpleNamespace(name="two", total_memory=2000 * MB, major=6, minor=1),
    }
    cuda = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: initialized,
        device_count=lambda: 2,
        get_device_properties=facts.__getitem__,
        memory_allocated=lambda index: 100 * MB,
        memory_reserved=lambda index: 300 * MB,
        utilization=no_library if hip else (lambda index: 40 + index),
    )
    return SimpleNamespace(
        cuda=cuda, version=SimpleNamespace(cuda=None if hip else "13.0", hip=hip)
    )


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    def read(free: dict[str, float | None], **kind: Any) -> dict[str, Any]:
        monkeypatch.setitem(sys.modules, "torch", a_torch(**kind))
        monkeypatch.setattr(memory, "device_free_mb", free.get)
        return cuda_memory()

    return read


def test_each_device_has_all_that_is_promised(stats: Callable[..., dict[str, Any]]) -> None:
    found = stats({"cuda:0": 50.0, "cuda:1": 1500.0})
    assert (found["device_count"], found["cuda_version"], found["rocm_version"]) == (
        2,
        "13.0",
        None,
    )
    one, two = found["devices"]
    assert one.keys() == two.keys() == KEYS
    assert (one["free_mb"], one["percent_used"], one["under_pressure"]) == (50.0, 95.0, True)
    assert (two["free_mb"], two["percent_used"], two["under_pressure"]) == (1500.0, 25.0, False)
    assert (one["has_tensor_cores"], two["has_tensor_cores"]) == (True, False)
    assert (one["utilization_percent"], two["utilization_percent"]) == (40, 41)
    assert (one["allocated_mb"], one["reserved_mb"]) == (100.0, 300.0)


def test_where_the_driver_says_nothing_what_this_process_has_is_taken(
    stats: Callable[..., dict[str, Any]],
) -> None:
    one, _ = stats({})["devices"]
    assert (one["free_mb"], one["percent_used"]) == (700.0, pytest.approx(30.0))


def test_amd_has_no_tensor_cores_and_perhaps_no_library(
    stats: Callable[..., dict[str, Any]],
) -> None:
    found = stats({"cuda:0": 500.0, "cuda:1": 500.0}, hip="6.4")
    assert (found["cuda_version"], found["rocm_version"]) == (None, "6.4")
    assert [device["has_tensor_cores"] for device in found["devices"]] == [False, False]
    assert found["devices"][0]["utilization_percent"] is None


def test_asking_makes_no_context(stats: Callable[..., dict[str, Any]]) -> None:
    assert stats({}, initialized=False)["devices"] == []
