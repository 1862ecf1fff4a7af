"""`python -m rpgen.architectures [TYPE...] [--refresh] [--anew] [--resume] [--output FILE]`.

Explores the types (without any: all that AutoModel knows), in batches that a crash or a hang
of one type costs nothing but that type, and records what was found in the model database.
What is remembered of a type and still holds stands; --anew searches for every type. --refresh
first reads the facts of all types from the installed transformers, so that one command does it
all. --resume goes on with a run that was stopped: types in its journal are not explored again.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from rpgen import paths
from rpgen.architectures.record import begin_journal, read_journal, record
from rpgen.errors import RpgenError
from rpgen.model_database import load
from rpgen.refresh_database.__main__ import refresh

ONE = (sys.executable, "-m", "rpgen.architectures.one")
BATCH = 25
SECONDS = 480.0
"""For one type to be told of, exploring and every check: a hang ends here."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rpgen.architectures", description=__doc__)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--refresh", action="store_true", help="read transformers' facts first")
    parser.add_argument("--anew", action="store_true", help="search, whatever is remembered")
    parser.add_argument("--resume", action="store_true", help="go on with the journal")
    parser.add_argument("--journal", type=Path, default=None, help="what is found, line by line")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None, help="the database (the shipped one)")
    options = parser.parse_args(arguments)
    path = options.output or paths.model_database_file()
    journal = options.journal or paths.state_folder() / "architectures.jsonl"
    try:
        begin_journal(journal, resume=options.resume)
        if options.refresh:
            refresh(path)
        print(explored(path, options.types, journal, options.processes, anew=options.anew))
    except RpgenError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    return 0


def explored(path: Path, types: Sequence[str], journal: Path, processes: int, *, anew: bool) -> str:
    """Explores, records, and says how much of it is new."""
    if path.exists():
        os.environ[paths.MODEL_DATABASE] = str(path.absolute())  # the processes read it, too
    types = types or all_types()
    explore_all(types, journal, processes, anew=anew)
    found = {name: row["found"] for name, row in read_journal(journal).items()}
    changed = record(path, {name: found[name] for name in types if name in found})
    failed = sum("problem" in found[name] for name in types if name in found)
    return f"{path}: {len(types)} types, {changed} changed, {failed} with a problem"


def all_types() -> list[str]:
    known = load().raw_architectures
    return sorted(name for name, raw in known.items() if "AutoModel" in raw.get("classes", ()))


def explore_all(
    types: Iterable[str], journal: Path, processes: int, *, anew: bool = False,
    command: Sequence[str] = ONE,
) -> None:  # fmt: skip
    """Adds a line to the journal for each type that is not in it yet."""
    command = [*command, *(["--anew"] if anew else [])]
    done = read_journal(journal)
    left = deque(name for name in types if name not in done)
    with journal.open("a", encoding="utf-8") as stream:
        lock = threading.Lock()
        workers = [
            threading.Thread(target=_work, args=(command, left, stream, lock))
            for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def _work(
    command: Sequence[str], left: "deque[str]", stream: IO[str], lock: threading.Lock
) -> None:
    while True:
        with lock:
            batch = [left.popleft() for _ in range(min(BATCH, len(left)))]
        if not batch:
            return
        while batch:
            batch = batch[_run(command, batch, stream, lock) :]


def _run(command: Sequence[str], batch: list[str], stream: IO[str], lock: threading.Lock) -> int:
    """Explores a batch in a process of its own; how many types are dealt with when it ends."""
    process = subprocess.Popen(
        [*command, *batch], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    done, current, late = 0, batch[0], False
    while True:
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        line = process.stdout.readline()
        late = not timer.is_alive() and not line
        timer.cancel()
        if not line:
            break
        row: dict[str, Any] = json.loads(line)
        if "begun" in row:
            current = row["begun"]
        else:
            _write(row, stream, lock)
            done += 1
    process.stdout.close()
    status = process.wait()
    if done == len(batch):
        return done
    why = f"took longer than {SECONDS:.0f} s" if late else f"the process ended with {status}"
    _write({"type": current, "found": {"problem": why}}, stream, lock)
    return done + 1


def _write(row: dict[str, Any], stream: IO[str], lock: threading.Lock) -> None:
    with lock:
        stream.write(json.dumps(row) + "\n")
        stream.flush()


if __name__ == "__main__":
    sys.exit(main())
