"""The one pool of this process."""

import os
import threading

from rpgen.pool import low_memory
from rpgen.pool.budgets import budgets_mb
from rpgen.pool.pool import ResourcePool

_lock = threading.Lock()
_pool: ResourcePool | None = None


def get_global_resource_pool() -> ResourcePool:
    """The pool that everything in this process shares, made on first use.

    Asked again after `RESOURCE_POOL_LOW_MEMORY=1` was set, the pool is in low-memory mode.
    """
    global _pool
    with _lock:
        if _pool is None:
            _pool = ResourcePool(budgets_mb=budgets_mb())
        if not _pool.low_memory_mode and low_memory.ENVIRONMENT in os.environ:
            _pool.look_at_memory()
        return _pool
