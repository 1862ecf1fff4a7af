"""How much memory was in use when: steps over time, from the samples and changes of a run."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rpgen.report.timeline import WORKER_ENDS, Change, Sample, Span
from rpgen.run.measure import device_of


@dataclass(frozen=True)
class Level:
    """From `time` (seconds into the run) on, `mb` are in use."""

    time: float
    mb: float


def used(samples: Iterable[Sample], changes: Iterable[Change], device: str) -> tuple[Level, ...]:
    """What all workers together use on `device`; one that ends uses nothing any more."""
    happened = [
        (sample.time, sample.worker, sample.used_mb[device])
        for sample in samples
        if device in sample.used_mb
    ]
    known = {worker for _, worker, _ in happened}
    for change in changes:
        gone = known if change.kind == "resumed" else known & _ended(change)
        happened += [(change.time, worker, 0.0) for worker in gone]
    now: dict[int, float] = {}
    levels = []
    for time, worker, size in sorted(happened, key=lambda each: each[0]):
        now[worker] = size
        levels.append(Level(time, sum(now.values())))
    return tuple(levels)


def held(changes: Iterable[Change], device: str) -> tuple[Level, ...]:
    """What the models in the workers' pools take on `device`; empty where none ever was."""
    models: dict[tuple[int | None, str], float] = {}
    levels = []
    for change in changes:
        if change.kind == "resumed":
            models = {}
        elif gone := _ended(change):
            models = {key: size for key, size in models.items() if key[0] not in gone}
        elif change.device is None or device_of([{"device": change.device}]) != device:
            continue
        elif change.kind == "loaded":
            models[change.worker, change.what] = change.measured_mb or 0.0
        else:
            models.pop((change.worker, change.what), None)
        levels.append(Level(change.time, sum(models.values())))
    return tuple(levels) if any(level.mb for level in levels) else ()


def _ended(change: Change) -> set[int | None]:
    return {change.worker} if change.kind in WORKER_ENDS else set()


def level_at(levels: Sequence[Level], time: float) -> float:
    """MB at a time; before the first that is known, that one."""
    position = bisect_right(levels, time, key=lambda level: level.time)
    return levels[max(0, position - 1)].mb if levels else 0.0


def predicted_growth(span: Span, device: str) -> float:
    """What its loads were expected to add; what it found loaded is in the level already."""
    uses = span.on_device(device)
    return sum(use.get("predicted_mb") or 0.0 for use in uses if not use.get("hit"))


def measured_growth(span: Span, device: str) -> float:
    """How far the peak of its turn rose over the level at its start."""
    uses = span.on_device(device)
    found = sum(use.get("measured_mb") or 0.0 for use in uses if use.get("hit"))
    return max(0.0, (span.peak_mb or 0.0) - found)


def thinned(levels: Sequence[Level], seconds: float, columns: int) -> Iterator[Level]:
    """No more than can be seen: of those that fall into one column the highest and the last."""
    if len(levels) <= columns:
        yield from levels
        return
    groups: dict[int, list[Level]] = {}
    for level in levels:
        groups.setdefault(int(level.time / (seconds or 1.0) * columns), []).append(level)
    for group in groups.values():
        highest = max(group, key=lambda level: level.mb)
        yield highest
        if group[-1].time > highest.time:
            yield group[-1]
