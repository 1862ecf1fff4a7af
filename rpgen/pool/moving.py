"""Moving a model to another device: on demand, or out of the way and back in low-memory mode.

Moves are rare and run one at a time. While one is under way the entry counts as busy, and
whoever asks for it waits for the move, not for anything else.
"""

import logging
import threading
from collections.abc import Callable, Container
from dataclasses import replace

from rpgen.pool.cleanup import Leaving, free, give_back
from rpgen.pool.entry import Entry, Kind
from rpgen.pool.loading import bring
from rpgen.pool.oom import out_of_memory
from rpgen.pool.sizing import device_name, measure
from rpgen.pool.table import Table

logger = logging.getLogger("rpgen.pool")

PARK_FROM_BYTES = 500 * 2**20
"""In low-memory mode models larger than this go back to the CPU after use."""


class Mover:
    def __init__(
        self, table: Table, lock: threading.RLock, make_room: Callable[[str], object]
    ) -> None:
        self._table, self._lock, self._make_room = table, lock, make_room
        self._one_at_a_time = threading.RLock()

    def move_named(
        self, model_type: str, model_name: str, device: str, held: Container[Entry]
    ) -> bool:
        """Move an instance that isn't there yet; False where there is none, or somebody else
        than the owner of `held` uses it."""
        with self._lock:
            found = self._table.named(Kind.MODEL, model_type, model_name)
            entry = next((e for e in found if e.size.device != device), found[0] if found else None)
            mine = 1 if entry is not None and entry in held else 0
        if entry is None:
            logger.warning("No model %s:%s to move to %s", model_type, model_name, device)
            return False
        moved = entry.size.device == device or self.move(entry, device, mine)
        if not moved:
            logger.warning("%s is in use and stays on %s", entry.key, entry.size.device)
        return moved

    def move(self, entry: Entry, device: str, allowed_leases: int) -> bool:
        """Move an entry, its key and its accounting; False where somebody else uses it."""
        device = device_name(device)
        with self._one_at_a_time:
            if not self._begin(entry, allowed_leases):
                return False
            try:
                self._carry(entry, device)
            except BaseException:
                free(self._arrived(entry))
                raise
            with self._lock:
                leaving = self._arrived(entry) or self._renamed(entry, device)
            free(leaving)
        return True

    def park(self, entry: Entry) -> bool:
        """Put an idle model on the CPU until it is wanted again."""
        home = entry.size.device
        with self._one_at_a_time:
            if home is None or home == "cpu" or not self._begin(entry, 0):
                return False
            try:
                self._carry(entry, "cpu")
                entry.home = home
            except Exception as error:
                if out_of_memory(error) is None:
                    raise
                logger.warning("%s stays on %s: the host has no room for it", entry.key, home)
                return False
            finally:
                free(self._arrived(entry))
        logger.info("Moved %s to the CPU until it is used again", entry.key)
        return True

    def bring_home(self, entry: Entry) -> None:
        """Back to the device it belongs on. The caller has pinned the entry, so that no move of
        it begins now: where none is under way, there is nothing to wait for."""
        if entry.home is None and not entry.moving:
            return
        with self._one_at_a_time:
            if entry.home is None:
                return
            self._carry(entry, entry.home)
            entry.home = None

    def _begin(self, entry: Entry, allowed_leases: int) -> bool:
        with self._lock:
            if not entry.live or entry.moving or entry.leases > allowed_leases:
                return False
            entry.moving = True
            return True

    def _arrived(self, entry: Entry) -> list[Leaving]:
        """The move is over. Who had to go with the last release goes now, if that came in
        between; free it without the lock."""
        with self._lock:
            entry.moving = False
            over = entry.doomed and entry.live and entry.leases == 0
            return [self._table.remove(entry, "the pool was cleared")] if over else []

    def _carry(self, entry: Entry, device: str) -> None:
        """The move itself; on failure the model is back where it was."""
        before = entry.size.device or "cpu"
        try:
            self._bring(entry, device)
        except Exception:
            bring(entry.value, before, None)
            raise
        size = measure(entry.value)
        if size.device is None:  # nothing with tensors in it: it is where it was sent
            size = replace(size, device=device, by_device={device: size.total})
        with self._lock:
            entry.size = size
        give_back([before], 0)

    def _bring(self, entry: Entry, device: str) -> None:
        try:
            bring(entry.value, device, None)
        except Exception as error:
            if out_of_memory(error) is None:
                raise
            bring(entry.value, entry.size.device or "cpu", None)
            self._make_room(device)
            bring(entry.value, device, None)

    def _renamed(self, entry: Entry, device: str) -> list[Leaving]:
        """Its new identity; where another instance has that already, this one is let go. Called
        under the pool's lock."""
        actual = entry.size.device or device
        identity = replace(entry.identity, device=actual)
        entry.home = None
        there = self._table.by_identity(identity)
        if there is None or there is entry:
            self._table.rename(entry, identity)
        elif entry.leases == 0:
            return [self._table.remove(entry, "it was moved to where another instance is")]
        else:  # somebody got it while it moved: it goes with them, and nobody else gets it
            self._table.unname(entry)
            entry.doomed = True
        return []
