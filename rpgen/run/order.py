"""In which order the files of a run come, and which of them a shard has: pure functions."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rpgen.errors import UsageError
from rpgen.run.schedule import Job


class Order(StrEnum):
    REUSE = "reuse"  # files of one model stand together, otherwise as they were given
    PATH = "path"  # as they were given; within a folder by name
    SLOWEST_FIRST = "slowest-first"  # the models whose files took longest last time
    RANDOM = "random"


@dataclass(frozen=True)
class Ordering:
    """`seed` is that of a random order, None for one that is still to be drawn."""

    order: Order = Order.REUSE
    seed: int | None = None

    def __str__(self) -> str:
        return self.order if self.seed is None else f"{self.order}:{self.seed}"


def parse_ordering(text: str) -> Ordering:
    """`random:7` has a seed; the others are names alone. UsageError with the names."""
    name, colon, seed = text.partition(":")
    try:
        order = Order(name)
    except ValueError:
        raise UsageError(f"unknown order {text!r}: choose one of {', '.join(Order)}") from None
    if not colon:
        drawn = random.SystemRandom().randrange(10_000) if order is Order.RANDOM else None
        return Ordering(order, drawn)
    if order is not Order.RANDOM or not seed.isdecimal():
        raise UsageError(f"unknown order {text!r}: only random takes a seed, as in random:7")
    return Ordering(order, int(seed))


def group_of(job: Job) -> str:
    """What files have in common that share a model; a file without one stands alone."""
    return job.facts.pool_key or f"file {job.name}"


def ordered(
    jobs: Sequence[Job], ordering: Ordering, seconds: Mapping[str, float] | None = None
) -> tuple[Job, ...]:
    """`seconds` is how long files took last time, by name; an unknown one counts as slow."""
    match ordering.order:
        case Order.PATH:
            return tuple(jobs)
        case Order.RANDOM:
            shuffled = list(jobs)
            random.Random(ordering.seed).shuffle(shuffled)
            return tuple(shuffled)
        case Order.REUSE:
            return tuple(job for group in _groups(jobs).values() for job in group)
    known = seconds or {}
    slowest = max(known.values(), default=0.0)

    def took(job: Job) -> float:
        return known.get(job.name, slowest)

    groups = sorted(_groups(jobs).values(), key=lambda group: -sum(map(took, group)))
    return tuple(job for group in groups for job in sorted(group, key=took, reverse=True))


def _groups(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(group_of(job), []).append(job)
    return groups


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """`2/5`. UsageError for anything else."""
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return Shard(int(number), int(count))
    raise UsageError(f"{text!r} is not a shard: write i/n, as in 2/5 for the second of five")


def shard_of(jobs: Sequence[Job], shard: Shard) -> tuple[Job, ...]:
    """The files of one shard: all files of a model go to the same one.

    Every machine comes to the same division from the files alone: the largest groups first,
    each to the shard that has the fewest files so far.
    """
    sizes = [0] * shard.count
    mine: set[str] = set()
    groups = _groups(jobs)
    for name in sorted(groups, key=lambda each: (-len(groups[each]), each)):
        smallest = sizes.index(min(sizes))
        sizes[smallest] += len(groups[name])
        if smallest == shard.number - 1:
            mine.add(name)
    return tuple(job for job in jobs if group_of(job) in mine)
