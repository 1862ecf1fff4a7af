"""The guide's names for the pool. The pool itself is `rpgen.pool`."""

from typing import Any

from rpgen.pool.pool import ResourcePool
from rpgen.pool.shared import get_global_resource_pool

__all__ = ["ResourcePool", "get_global_resource_pool", "global_resource_pool"]

global_resource_pool: ResourcePool


def __getattr__(name: str) -> Any:
    if name == "global_resource_pool":
        return get_global_resource_pool()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
