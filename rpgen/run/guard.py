"""The state guard: what a file did to shared models and to torch's switches is put back.

The state of a model is taken when the pool has loaded it, and compared when a file that may
have used it ends. Modes and flags are put back; a model whose values, tensors or hooks changed
is let go, so that the next file gets one loaded anew. Both are told as left behind by the file.
"""

import sys
from typing import Any

from rpgen.run.owner import loaded_pool


class StateGuard:
    """One for the life of a worker. It never imports torch: a file that hasn't can't change it."""

    def __init__(self) -> None:
        self._models: dict[Any, Any] = {}  # the pool's entries, with their states as loaded
        self._switches: dict[str, Any] | None = None
        self._watching = False

    def watch_pool(self) -> None:
        """Hear of what the pool loads from now on; call it when there may be a pool."""
        if not self._watching and (pool := loaded_pool()) is not None:
            self._watching = True
            pool.watch(self._pool_changed)

    def file_starts(self) -> None:
        self.watch_pool()
        self._switches = _switches_now()

    def imported(self) -> None:
        """The file's own imports may have brought torch and the pool."""
        self.watch_pool()
        if self._switches is None:
            self._switches = _switches_now()

    def file_ends(self) -> tuple[str, ...]:
        """Put back what can be; in words, what the file had changed."""
        told = [line for entry in list(self._models) for line in self._look_at(entry)]
        if self._switches is not None:
            from rpgen.checks.state import restore_switches

            told += restore_switches(self._switches)
        return tuple(told)

    def _pool_changed(self, entry: Any, why: str | None) -> None:
        if why is not None:
            self._models.pop(entry, None)
        elif entry.identity.kind == "model" and hasattr(entry.value, "named_modules"):
            from rpgen.checks.state import ModelState

            self._models[entry] = ModelState.of(entry.value)

    def _look_at(self, entry: Any) -> list[str]:
        from rpgen.checks.state import ModelState, changes, restore_flags

        before, after = self._models[entry], ModelState.of(entry.value)
        if after.devices == {entry.size.device} != before.devices:
            self._models[entry] = after  # the pool itself has moved it
            return []
        found = changes(before, after)
        if not found:
            return []
        words = "; ".join(change.what for change in found)
        restore_flags(entry.value, before)
        if all(change.undone_by_flags for change in found):
            return [f"{entry.key}: {words} (put back)"]
        pool = loaded_pool()
        if pool is not None:
            pool.discard(entry.key)
        return [f"{entry.key}: {words} (it is loaded anew for the next file)"]


def _switches_now() -> dict[str, Any] | None:
    torch = sys.modules.get("torch")
    if not hasattr(torch, "set_num_threads"):  # not there, or only half imported
        return None
    from rpgen.checks.state import switches_now

    return switches_now()
