"""`python -m rpgen.architectures [TYPE...] [--journal FILE] [--processes N] [--output FILE]`.

Explores the types (without any: all that AutoModel knows), in batches that a crash or a hang
of one type costs nothing but that type, and records what was found in the model database. A
journal that exists is gone on with: types in it are not explored again.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from rpgen import paths
from rpgen.architectures.record import read_journal, record
from rpgen.model_database import load

BATCH = 25
SECONDS = 480.0
"""For one type to be told of, exploring and every check: a hang ends here."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rpgen.architectures", description=__doc__)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None, help="the database (the shipped one)")
    options = parser.parse_args(arguments)
    path = options.output or paths.model_database_file()
    if path.exists():
        os.environ[paths.MODEL_DATABASE] = str(path.absolute())  # the processes read it, too
    types = options.types or all_types()
    explore_all(types, options.journal, options.processes)
    found = {name: row["tiny"] for name, row in read_journal(options.journal).items()}
    changed = record(path, {name: found[name] for name in types if name in found})
    failed = sum("problem" in found[name] for name in types if name in found)
    print(f"{path}: {len(types)} types, {changed} changed, {failed} with a problem")
    return 0


def all_types() -> list[str]:
    known = load().raw_architectures
    return sorted(name for name, raw in known.items() if "AutoModel" in raw.get("classes", ()))


def explore_all(types: Iterable[str], journal: Path, processes: int) -> None:
    """Adds a line to the journal for each type that is not in it yet."""
    done = read_journal(journal)
    left = deque(name for name in types if name not in done)
    with journal.open("a", encoding="utf-8") as stream:
        lock = threading.Lock()
        workers = [
            threading.Thread(target=_work, args=(left, stream, lock)) for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def _work(left: "deque[str]", stream: IO[str], lock: threading.Lock) -> None:
    while True:
        with lock:
            batch = [left.popleft() for _ in range(min(BATCH, len(left)))]
        if not batch:
            return
        while batch:
            batch = batch[_run(batch, stream, lock) :]


def _run(batch: list[str], stream: IO[str], lock: threading.Lock) -> int:
    """Explores a batch in a process of its own; how many types are dealt with when it ends."""
    command = [sys.executable, "-m", "rpgen.architectures.one", *batch]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True,
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
    status = process.wait()
    if done == len(batch):
        return done
    why = f"took longer than {SECONDS:.0f} s" if late else f"the process ended with {status}"
    _write({"type": current, "tiny": {"problem": why}}, stream, lock)
    return done + 1


def _write(row: dict[str, Any], stream: IO[str], lock: threading.Lock) -> None:
    with lock:
        stream.write(json.dumps(row) + "\n")
        stream.flush()


if __name__ == "__main__":
    sys.exit(main())
