"""Which of the files that were named a run has, and in which order: from the files themselves
and from what earlier runs left."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from rpgen.errors import NothingRanError
from rpgen.run.journal import read
from rpgen.run.order import Order, ordered, parse_ordering, parse_shard, shard_of
from rpgen.run.outcomes import BAD, Outcome
from rpgen.run.request import RunRequest
from rpgen.run.results import fold
from rpgen.run.schedule import Job, Target, read_jobs
from rpgen.run.state import RunFolder, all_runs

LOOK_BACK = 20  # runs


def choose_jobs(request: RunRequest, targets: Sequence[Target]) -> tuple[Job, ...]:
    """The run's files in their order. `NothingRanError` where none is left."""
    earlier = list(islice(reversed(all_runs()), LOOK_BACK))
    if request.lf:
        targets = only_failed(targets, last_outcomes(earlier, {target.name for target in targets}))
    jobs = read_jobs(targets)
    if request.shard:
        jobs = shard_of(jobs, parse_shard(request.shard))
        if not jobs:
            raise NothingRanError(f"the shard {request.shard} has no file: there are fewer models")
    ordering = parse_ordering(request.order)
    slow = ordering.order is Order.SLOWEST_FIRST
    return ordered(jobs, ordering, last_seconds(earlier) if slow else None)


def last_outcomes(runs: Iterable[RunFolder], names: Iterable[str]) -> dict[str, dict[str, Outcome]]:
    """By file, the newest outcome of each test; `runs` are the newest first.

    A run that had only some tests of a file says nothing of the others: earlier ones do.
    """
    wanted = set(names)
    found: dict[str, dict[str, Outcome]] = {}
    for run in runs:
        for file in fold(read(run.journal)).files:
            if file.path in wanted:
                tests = found.setdefault(file.path, {})
                for test in file.tests:
                    tests.setdefault(test.id, test.outcome)
    return found


def only_failed(
    targets: Iterable[Target], outcomes: Mapping[str, Mapping[str, Outcome]]
) -> tuple[Target, ...]:
    """The tests that went wrong when they last ran; whole files where the file itself did."""
    chosen = []
    for target in targets:
        bad = [test for test, outcome in outcomes.get(target.name, {}).items() if outcome in BAD]
        if target.name in bad:
            chosen.append(replace(target, tests=()))
        elif bad:
            tests = tuple(test.removeprefix(f"{target.name}::") for test in bad)
            chosen.append(replace(target, tests=tests))
    if not chosen:
        raise NothingRanError("none of these files failed when it last ran; leave out --lf")
    return tuple(chosen)


def seconds_last_time() -> dict[str, float]:
    """How long each file took, by the reports that are kept."""
    return last_seconds(islice(reversed(all_runs()), LOOK_BACK))


def last_seconds(runs: Iterable[RunFolder]) -> dict[str, float]:
    """How long each file took in the newest run that had it, by its report."""
    seconds: dict[str, float] = {}
    for run in runs:
        try:
            files = json.loads(run.report.read_bytes())["files"]
            for file in files:
                seconds.setdefault(file["path"], float(file["duration_seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it has not ended, or its report is another version's
    return seconds
