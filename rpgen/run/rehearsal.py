"""Which worker takes which file, and in which order the files begin, if each takes so long.

The backlog that decides in a run decides here as well, over files that only take time.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from rpgen.run.backlog import Backlog, ahead
from rpgen.run.channel import RunFile


def rehearse(
    tasks: Sequence[RunFile],
    keys: Mapping[str, str | None],
    slots: int,
    seconds: Callable[[str], float],
    isolate: bool = False,
) -> Iterator[tuple[int, RunFile]]:
    """(slot, file) as they begin. With `isolate` a worker ends with its file."""
    backlog = Backlog(tasks, keys, slots)
    handed: list[deque[RunFile]] = [deque() for _ in range(slots)]
    at_work: list[tuple[float, int]] = []
    now = 0.0
    while True:
        for slot, mine in enumerate(handed):
            while len(mine) < ahead(len(backlog), slots, isolate):
                task = backlog.take(slot)
                if task is None:
                    break
                mine.append(task)
            if mine and all(slot != other for _, other in at_work):
                yield slot, mine[0]
                heapq.heappush(at_work, (now + seconds(mine[0].name), slot))
        if not at_work:
            return
        now, slot = heapq.heappop(at_work)
        handed[slot].popleft()
        if isolate:
            backlog.vacate(slot)


def as_last_time(names: Sequence[str], known: Mapping[str, float]) -> Callable[[str], float]:
    """How long files take: as they did, others as long as those did on average."""
    found = [known[name] for name in names if name in known]
    usual = sum(found) / len(found) if found else 1.0
    return lambda name: known.get(name, usual)
