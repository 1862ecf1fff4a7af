"""What is still to be run, and which worker is to run it.

A file goes to the worker that has its model. A worker without such a file takes the next one
whose model nobody has; where there is none either, it takes one from the worker with most
work before it, if that is worth loading the model a second time.

    waiting: a1 a2 b1 a3 c1 b2        slot 0 has a, slot 1 has b
    slot 1 takes b1, b2, then c1; then nothing: three files of a are too few to share
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from rpgen.run.channel import RunFile

LOOK_AHEAD = 200  # files whose models the pool is told of
WORTH_SHARING = 4
AHEAD = 2


def ahead(waiting: int, slots: int, isolate: bool = False) -> int:
    """How many files a worker has at once. Towards the end nothing waits with one worker that
    another could do at once."""
    few = slots > 1 and waiting <= AHEAD * slots
    return 1 if isolate or few else AHEAD


class Backlog:
    """`keys` has the pool's key of each file's model by the file's name, None where unknown.

    A single worker takes the files in their order, whatever it has loaded.
    """

    def __init__(
        self, tasks: Iterable[RunFile], keys: Mapping[str, str | None], slots: int = 1
    ) -> None:
        self._waiting = deque(tasks)
        self._slots = slots
        self._keys = keys
        self._homes: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def peek(self, slot: int = 0) -> RunFile | None:
        """The file that this slot's worker would get next."""
        if self._slots == 1:
            return self._waiting[0] if self._waiting else None
        owned = unowned = None
        shared: Counter[str] = Counter()
        for task in self._waiting:
            key = self._keys.get(task.name)
            homes = self._homes.get(key or "", set())
            if slot in homes:
                owned = owned or task
                break
            if not homes:
                unowned = unowned or task
            elif key is not None:
                shared[key] += 1
        return owned or unowned or self._to_share(shared)

    def _to_share(self, shared: Counter[str]) -> RunFile | None:
        for key, count in shared.most_common(1):
            if count >= WORTH_SHARING:
                return next(task for task in self._waiting if self._keys.get(task.name) == key)
        return None

    def take(self, slot: int = 0) -> RunFile | None:
        """`peek`, and the slot's worker has the model from now on."""
        task = self.peek(slot)
        if task is None:
            return None
        coming = self._upcoming(task, slot)
        files: dict[str, str] = {}
        for name, path in coming:
            files.setdefault(name, path)
        told = replace(task, upcoming=tuple(name for name, _ in coming), upcoming_files=files)
        self._waiting.remove(task)
        if key := self._keys.get(task.name):
            self._homes.setdefault(key, set()).add(slot)
        return told

    def _upcoming(self, first: RunFile, slot: int) -> list[tuple[str, str]]:
        """The models that this slot's worker is to expect, with their files: this file's, then
        those of the waiting files that no other worker is to run."""
        found = [(self._keys.get(first.name), first.path)]
        for task in islice(self._waiting, LOOK_AHEAD):
            key = self._keys.get(task.name)
            homes = self._homes.get(key or "")
            if task is not first and (not homes or slot in homes):
                found.append((key, task.path))
        return [(key, path) for key, path in found if key]

    def put_back(self, tasks: Iterable[RunFile]) -> None:
        """To the front, in their order."""
        self._waiting.extendleft(reversed(list(tasks)))

    def vacate(self, slot: int) -> None:
        """The slot's worker is gone, and its models with it."""
        for homes in self._homes.values():
            homes.discard(slot)

    def clear(self) -> None:
        self._waiting.clear()
