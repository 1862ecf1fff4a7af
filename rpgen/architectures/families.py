"""`python -m rpgen.architectures.families [TYPE...] [--processes N] [--resume] [--output FILE]`.

Runs the file of each well-known model, and of a model of each other type with its usual head,
with tiny weights, head by head, in batches that a crash or a hang of one head costs nothing but
that head (see `family`), and records in the model database what is to be known of each. Without
types: of all.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rpgen import paths
from rpgen.architectures.__main__ import explore_all
from rpgen.architectures.family import head_of, written
from rpgen.architectures.record import begin_journal, read_journal, write_types
from rpgen.errors import RpgenError
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.render import Renderer
from rpgen.model_database import ModelDatabase, load_or_shipped

ONE = (sys.executable, "-m", "rpgen.architectures.family")
_PROBLEM = "problem"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rpgen.architectures.families")
    parser.add_argument("types", nargs="*")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on with the journal")
    parser.add_argument("--journal", type=Path, default=None, help="what is found, line by line")
    parser.add_argument("--output", type=Path, default=None, help="the database (the shipped one)")
    options = parser.parse_args(arguments)
    path = options.output or paths.model_database_file()
    journal = options.journal or paths.state_folder() / "families.jsonl"
    try:
        begin_journal(journal, resume=options.resume)
        heads = heads_of(load_or_shipped(path), options.types)
        if path.exists():
            os.environ[paths.MODEL_DATABASE] = str(path.absolute())  # the processes read it, too
        explore_all(heads, journal, options.processes, command=ONE)
        read = read_journal(journal)
        found = {name: read[name]["found"] for name in heads if name in read}
        changed = record_heads(path, found)
    except RpgenError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    problems = {name: facts[_PROBLEM] for name, facts in found.items() if _PROBLEM in facts}
    for name, problem in problems.items():
        print(f"{name}: {problem}")
    print(f"{path}: {len(found)} heads, {changed} types changed, {len(problems)} with a problem")
    return 0


def heads_of(database: ModelDatabase, types: Collection[str] = ()) -> list[str]:
    """`TYPE AUTO_CLASS` of each well-known model, and of each type that AutoModel knows, each
    once; those of some types, or of all."""
    generator = Generator(Renderer(), database, Settings(Path()))
    heads: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as folder:
        others = (
            written(Path(folder) / name, {"model_type": name}) for name in generator.architectures()
        )
        for model in (*database.raw_models, *others):
            head = head_of(generator, model)
            if head is not None and (not types or head[0] in types):
                heads[" ".join(head)] = None
    return list(heads)


def record_heads(path: Path, found: Mapping[str, Mapping[str, Any]]) -> int:
    """Puts what was found of heads into the file, in place of what it had; how many types
    changed."""
    old = load_or_shipped(path)
    types: dict[str, dict[str, Any]] = {
        name: dict(raw) for name, raw in old.raw_architectures.items()
    }
    for name, facts in found.items():
        model_type, auto_class = name.split()
        raw = types[model_type]
        known = {key: value for key, value in facts.items() if key != _PROBLEM}
        heads = {**raw.get("heads", {}), auto_class: known}
        raw["heads"] = {head: each for head, each in sorted(heads.items()) if each}
        if not raw["heads"]:
            del raw["heads"]
    write_types(path, old, types)
    return sum(bool(old.raw_architectures[name] != raw) for name, raw in types.items())


if __name__ == "__main__":
    sys.exit(main())
