"""A test file as the owner of what it takes from the resource pool.

The worker and the plugin for bare pytest share this. It never imports the pool: only a file
that has done so can have taken anything from it.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, is_dataclass
from typing import Any

_POOL_MODULE = "rpgen.resource_pool"


def loaded_pool() -> Any | None:
    """The process's pool, None as long as nobody has imported it."""
    module = sys.modules.get(_POOL_MODULE)
    getter = getattr(module, "get_global_resource_pool", None)  # absent while it is imported
    return getter() if getter else None


class FileOwner:
    """One file's time with the pool: `enter` as early as there is a pool, then `leave`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._context: AbstractContextManager[Any] | None = None
        self._later: tuple[str, ...] | None = None

    def enter(self) -> None:
        """Make this file the owner, if the pool is there; call again when it may have come."""
        if self._context is None and (pool := loaded_pool()) is not None:
            self._context = pool.owner(self.name)
            self._context.__enter__()

    def announce(self, keys: Sequence[str], files: Mapping[str, str]) -> None:
        """Tell the pool what will be asked for, so that it evicts what is needed last: `keys` in
        order, this file's first, and for each the first file that will ask for it."""
        pool = loaded_pool()
        if pool is None:
            return
        from rpgen.run.coming import of_files  # bare pytest, which has no plan, need not import it

        own = keys and files.get(keys[0]) == self.name
        self._later = tuple(keys[1:] if own else keys)
        pool.expect(keys, of_files(files))

    def uses(self) -> tuple[dict[str, Any], ...]:
        """The pool's account of each model that this file has got so far."""
        pool = loaded_pool()
        if pool is None or self._context is None:
            return ()
        return tuple(_plain(use) for use in pool.uses(self.name))

    def leave(self, cleanup_age_minutes: float) -> None:
        """Let go of everything, and free what has been idle for longer than that."""
        if self._context is not None:
            context, self._context = self._context, None
            context.__exit__(None, None, None)
        pool = loaded_pool()
        if pool is not None:
            if self._later is not None:
                pool.expect(self._later)
            pool.cleanup_unused_resources(max_age_minutes=cleanup_age_minutes)


def _plain(use: Any) -> dict[str, Any]:
    values = asdict(use) if is_dataclass(use) and not isinstance(use, type) else dict(use)
    return {
        name: value if isinstance(value, bool | int | float | dict | None) else str(value)
        for name, value in values.items()
    }
