"""Running out of memory for real on a GPU: the ladder, step by step."""

import weakref
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from rpgen.errors import DoesNotFitError
from rpgen.pool.pool import ResourcePool

if not torch.cuda.is_available():
    pytest.skip("this machine has no GPU that torch can use", allow_module_level=True)

MB = 2**20
ROOM = 600


@pytest.fixture
def pool() -> Iterator[ResourcePool]:
    """The process may take 600 MB on the GPU, whatever else is free there."""
    torch.cuda.init()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(ROOM * MB / total)
    made = ResourcePool()
    yield made
    made.clear()
    torch.cuda.set_per_process_memory_fraction(1.0)


def weights(mb: int) -> nn.Module:
    return nn.Linear(mb * MB // 4 // 256, 256, bias=False)


def get(pool: ResourcePool, name: str, mb: int, **wishes: object) -> nn.Module:
    found: nn.Module = pool.get_model("e", name, lambda: weights(mb), {"device": "cuda", **wishes})
    return found


def test_idle_models_go_then_the_next_device_is_taken_and_said(pool: ResourcePool) -> None:
    idle = weakref.ref(get(pool, "idle", 400))
    with pool.owner("file"):
        big = get(pool, "big", 400)
        assert idle() is None
        assert next(big.parameters()).device == torch.device("cuda:0")
        more = get(pool, "more", 400)
        assert next(more.parameters()).device != torch.device("cuda:0")
        first, second = pool.uses("file")
    assert first.degraded is None
    assert second.degraded is not None
    assert second.degraded.endswith("it ran out of memory while loading")
    assert second.device != "cuda:0"


def test_a_forced_device_fails_and_says_who_holds_what(pool: ResourcePool) -> None:
    with pool.owner("file"):
        get(pool, "big", 400)
        with pytest.raises(DoesNotFitError, match=r"e:big 400 MB on cuda:0 in use") as caught:
            get(pool, "more", 400, force_device=True)
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)
    del caught
    assert pool._reservations.by_domain() == {}
    assert get(pool, "fits", 300) is not None


def test_what_is_let_go_is_given_back_to_the_driver(pool: ResourcePool) -> None:
    get(pool, "warm", 1)
    pool.clear()
    free, _ = torch.cuda.mem_get_info(0)
    watched = weakref.ref(get(pool, "big", 400))
    assert pool.get_stats()["devices"] == {"cuda:0": 400 * MB}
    assert torch.cuda.mem_get_info(0)[0] < free
    pool.clear()
    assert watched() is None
    assert torch.cuda.memory_reserved(0) < 50 * MB
