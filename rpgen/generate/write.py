"""Putting a file in place without ever losing somebody's work."""

import ast
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rpgen.errors import OutputError
from rpgen.generate.signature import Origin, origin
from rpgen.whole_files import write_whole


class Action(StrEnum):
    """What happens (or would happen) to a file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"  # a person's work: written only with --force
    REPLACED = "replaced"  # a person's work, and --force was given


@dataclass(frozen=True)
class Decision:
    """What to do with one path, and why."""

    action: Action
    reason: str = ""

    @property
    def writes(self) -> bool:
        return self.action in (Action.CREATED, Action.UPDATED, Action.REPLACED)


def decide(path: Path, text: str, model: str, *, force: bool) -> Decision:
    """What writing `text` to `path` would mean for what is there now."""
    present = read(path)
    if present is None:
        return Decision(Action.CREATED)
    if present == text:
        return Decision(Action.UNCHANGED)
    whose = origin(present)
    other = model_of(present)
    if whose is Origin.GENERATED and other in (model, None):
        return Decision(Action.UPDATED)
    if force:
        return Decision(Action.REPLACED, "--force")
    if whose is Origin.GENERATED:
        return Decision(Action.KEPT, f"it holds the tests of another model, {other}")
    if whose is Origin.EDITED:
        return Decision(Action.KEPT, "it was edited by hand")
    return Decision(Action.KEPT, "it was not written by rpgen")


def read(path: Path) -> str | None:
    """The text of `path`, None where there is no such file."""
    try:
        return path.read_bytes().decode("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{path} can't be read: {error.strerror or error}") from error


def write(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror or error}") from error


def model_of(text: str) -> str | None:
    """The model that a generated file is about: the first argument of its `Checkpoint`."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    for node in tree.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "Checkpoint"
            and call.args
            and isinstance(call.args[0], ast.Constant)
            and isinstance(call.args[0].value, str)
        ):
            return call.args[0].value
    return None
