"""A sample of architectures with the lowest transformers that rpgen admits: `make lowest`.

Types change between versions, so that version gets a database of its own, as README.md tells
its users; what the shipped one gives without that stands beside it. Ends with 1 where a type of
the sample does not pass, or fewer take all kinds together than is asked for of all types.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.architectures import Sweep, raise_if_silent, sample, shortfalls, summary, sweep
from benchmarks.document import put_down
from benchmarks.timing import machine
from rpgen import paths
from rpgen.architectures.__main__ import explored
from rpgen.architectures.record import begin_journal
from rpgen.refresh_database.__main__ import refresh

TYPES = 60
PROCESSES = 2
FOLDER = Path(".benchmarks") / "lowest"


def main() -> int:
    types = refreshed(FOLDER / "model_database.json")
    done = sweep(FOLDER / "own", types, PROCESSES, anew=True)
    del os.environ[paths.MODEL_DATABASE]
    shipped = sweep(FOLDER / "shipped", types, PROCESSES, anew=True)
    section = told(done, shipped)
    print(section)
    raise_if_silent(done)
    put_down("lowest", section)
    missed = fallen_short(done)
    for each in missed:
        print(each)
    return 1 if missed else 0


def fallen_short(done: Sweep) -> list[str]:
    return [*(f"{row.model_type} does not pass" for row in done.rows if not row.ok),
            *shortfalls(done)]  # fmt: skip


def refreshed(database: Path) -> list[str]:
    """Makes the database anew from the shipped one, for the types of the sample. One that turns
    out to need a package gives way to its neighbour, which is explored in its turn."""
    database.parent.mkdir(parents=True, exist_ok=True)
    database.unlink(missing_ok=True)
    refresh(database)
    os.environ[paths.MODEL_DATABASE] = str(database.absolute())
    journal, known = database.with_name("found.jsonl"), set[str]()
    while new := [each for each in sample(TYPES) if each not in known]:
        begin_journal(journal, resume=False)
        print(explored(database, new, journal, PROCESSES, anew=False), flush=True)
        known |= set(new)
    return sample(TYPES)


def told(done: Sweep, shipped: Sweep) -> str:
    lines = [
        f"## {len(done.rows)} architectures with transformers {done.origin.transformers}",
        "",
        "The lowest version that rpgen admits, by `make lowest`: an even sample of the types that"
        " can run, with a database refreshed for that version, at"
        f" {done.origin.commit} on {machine()}.",
        "",
        summary(done),
        f"- With the shipped database, made with another version, {_passed(shipped)} of them pass.",
    ]
    return "\n".join([*lines, *_table(done, "its own database"), *_table(shipped, "the shipped")])


def _passed(done: Sweep) -> int:
    return sum(row.ok for row in done.rows)


def _table(done: Sweep, which: str) -> Sequence[str]:
    short = [row for row in done.rows if row.falls_short]
    if not short:
        return []
    head = f"| type | where it falls short with {which} |"
    return ["", head, "|---|---|", *(f"| {row.model_type} | {row.why} |" for row in short)]


if __name__ == "__main__":
    sys.exit(main())
