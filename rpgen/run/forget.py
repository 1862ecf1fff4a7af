"""Where pytest's own memory of a file has to be helped: it was made for one collection.

These touch names of pytest that are not promised. Each is looked for before it is used;
without them a run still works, only the worker's memory grows a little per file.
"""

import contextlib
import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import _pytest.main
import pytest


def forget_fixtures(session: Any, path: Path) -> None:
    """Drop the fixtures registered for the nodes of a file that is done with.

    They hold the file's classes, and through these whatever the tests stored there.
    """
    manager = getattr(session, "_fixturemanager", None)
    registries = list((getattr(manager, "_arg2node2fixturedefs", None) or {}).values())
    registries.append(getattr(manager, "_node_autousenames", None) or {})
    for registry in registries:
        for node in [node for node in registry if getattr(node, "path", None) == path]:
            del registry[node]
    by_name = getattr(manager, "_arg2node2fixturedefs", None) or {}
    for name in [name for name, nodes in by_name.items() if not nodes]:
        del by_name[name]


def fresh_instance(item: Any) -> None:
    """Let a test that runs once more have a new instance of its class, as every test has.

    pytest keeps the one that it made with the test.
    """
    if vars(item).get("_instance") is not None:
        del item._instance
        item._obj = None


class _KeptConftests(dict[Path, Any]):
    """Conftest modules whose folder was not collected yet. pytest drops them after its one
    collection; here their folder's turn may come later."""

    def clear(self) -> None:
        return


def keep_conftests(session: Any) -> None:
    """Let the fixtures of conftest files that are loaded at the start wait for their folder."""
    manager = getattr(session, "_fixturemanager", None)
    pending = getattr(manager, "_pending_conftests", None)
    if manager is not None and pending is not None:
        manager._pending_conftests = _KeptConftests(pending)


@contextlib.contextmanager
def readable_argument(path: str) -> Generator[str, None, None]:
    """The argument that makes pytest collect `path`.

    pytest reads "[" and "::" in an argument as the beginning of a test's name, also where
    they belong to a folder. For such a path the argument is a stand-in.
    """
    if "[" not in path and "::" not in path:
        yield path
        return
    resolve = _pytest.main.resolve_collection_argument
    stand_in = "/the-file-whose-turn-it-is"

    def resolve_stand_in(invocation_path: Path, arg: str, *args: Any, **options: Any) -> Any:
        if not arg.startswith(stand_in):
            return resolve(invocation_path, arg, *args, **options)
        if not Path(path).exists():
            raise pytest.UsageError(f"file or directory not found: {path}")
        root = resolve(invocation_path, "/", *args, **options)
        return _aimed(root, Path(path), arg.removeprefix(stand_in))

    _pytest.main.resolve_collection_argument = resolve_stand_in
    try:
        yield stand_in
    finally:
        _pytest.main.resolve_collection_argument = resolve


def _aimed(argument: Any, path: Path, test: str) -> Any:
    """pytest's `CollectionArgument` for `path` and what follows it (`::Class::test[a]`).

    From version 9 on it has the parameters of a test in a field of their own.
    """
    name, bracket, parameters = test.partition("[")
    parts = [part for part in name.split("::") if part]
    if hasattr(argument, "parametrization"):
        in_brackets = bracket + parameters or None
        return dataclasses.replace(argument, path=path, parts=parts, parametrization=in_brackets)
    if bracket:
        parts[-1] += bracket + parameters
    return dataclasses.replace(argument, path=path, parts=parts)
