"""Into the database with what was found, keeping all the rest of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rpgen.errors import OutputError, UsageError
from rpgen.model_database import ModelDatabase, load_or_shipped
from rpgen.refresh_database import build
from rpgen.refresh_database.__main__ import installed
from rpgen.whole_files import write_whole


def record(path: Path, found: Mapping[str, Mapping[str, Any]]) -> int:
    """Puts each type's `tiny` entry into the file in one step; returns how many changed."""
    old = load_or_shipped(path)
    types = {name: dict(raw) for name, raw in old.raw_architectures.items()}
    changed = 0
    for name, plain in found.items():
        if name in types and types[name].get("tiny") != plain:
            types[name]["tiny"] = dict(plain)
            changed += 1
    write_types(path, old, types)
    return changed


def write_types(path: Path, old: ModelDatabase, types: Mapping[str, Any]) -> None:
    """The database with other types, in one step. OutputError where it can't be written."""
    text = build.text(old.made_with, types, old.raw_models, old.raw_names)
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"{path} can't be written ({error.strerror}): choose --output") from error


def begin_journal(path: Path, *, resume: bool) -> None:
    """An empty journal that says its transformers; to resume, the one that is there.

    Raises UsageError for one of another version: what was found with that is not true here.
    """
    here = {"made_with": installed()}
    if resume and path.exists():
        if path.read_text("utf-8").partition("\n")[0] != json.dumps(here):
            raise UsageError(f"{path} is of another transformers: leave --resume out to begin anew")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(here) + "\n", encoding="utf-8")


def read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """What was found so far, by type; the last line of a type counts, a torn one does not."""
    found: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return found
    for line in path.read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get("type"), str):
            found[row["type"]] = row
    return found
