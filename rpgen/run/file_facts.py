"""What a test file says of itself, read without running it."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rpgen.families import Family

_HEAVY = re.compile(rb"^\s*(?:import|from)\s+(?:rpgen|torch|transformers)\b", re.MULTILINE)
_FAMILIES = {str(family) for family in Family}


@dataclass(frozen=True)
class FileFacts:
    """`needs_models`: it imports rpgen, torch or transformers, so the worker should too.

    `checkpoint` holds the arguments of its `Checkpoint(...)` by name, as far as they are literals,
    `preferences` its `HARDWARE_PREFERENCES`.
    """

    model: str | None = None
    family: str | None = None
    needs_models: bool = False
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    preferences: Mapping[str, Any] = field(default_factory=dict)

    def insists(self, environment: Mapping[str, str]) -> bool:
        """Will it take trained weights or fail? RPGEN_WEIGHTS overrides what it says."""
        asked = environment.get("RPGEN_WEIGHTS") or self.checkpoint.get("weights")
        return asked == "pretrained" and self.model is not None

    @property
    def pool_key(self) -> str | None:
        """What the file will ask the pool for, None where it does not say so."""
        return f"{self.family}:{self.model}" if self.family and self.model else None


def read_facts(path: Path) -> FileFacts:
    """The facts of a file; all unknown where it can't be read (running it says why)."""
    try:
        source = path.read_bytes()
    except OSError:
        return FileFacts()
    if not _HEAVY.search(source):
        return FileFacts()
    return parse_facts(source)


def parse_facts(source: bytes) -> FileFacts:
    """Model and family: `CHECKPOINT = Checkpoint("...")`, and `FAMILY = "..."` or the first
    argument of `pool.get_model("...")`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return FileFacts(needs_models=True)
    model = family = None
    checkpoint: dict[str, Any] = {}
    preferences: dict[str, Any] = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(
                targets=[ast.Name(id="CHECKPOINT")],
                value=ast.Call(args=[ast.Constant(value=str(name)), *_], keywords=keywords),
            ):
                model, checkpoint = name, {"name": name, **_literals(keywords)}
            case ast.Assign(targets=[ast.Name(id="FAMILY")], value=ast.Constant(value=str(name))):
                family = name
            case ast.Assign(
                targets=[ast.Name(id="HARDWARE_PREFERENCES")], value=ast.Dict() as value
            ):
                preferences = _literal_dict(value)
    return FileFacts(
        model, _known(family) or _family_asked_for(tree), True, checkpoint, preferences
    )


def _literal_dict(node: ast.Dict) -> dict[str, Any]:
    try:
        value: dict[str, Any] = ast.literal_eval(node)
    except (ValueError, TypeError):
        return {}
    return value


def _literals(keywords: list[ast.keyword]) -> dict[str, Any]:
    return {
        word.arg: word.value.value
        for word in keywords
        if word.arg and isinstance(word.value, ast.Constant)
    }


def _family_asked_for(tree: ast.Module) -> str | None:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="get_model"), args=[ast.Constant(value=str(name)), *_]
            ) if name in _FAMILIES:
                return name
    return None


def _known(family: str | None) -> str | None:
    return family if family in _FAMILIES else None
