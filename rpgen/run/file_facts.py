"""What a test file says of itself, read without running it."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from rpgen.families import Family

_HEAVY = re.compile(rb"^\s*(?:import|from)\s+(?:rpgen|torch|transformers)\b", re.MULTILINE)
_FAMILIES = {str(family) for family in Family}


@dataclass(frozen=True)
class FileFacts:
    """`needs_models`: it imports rpgen, torch or transformers, so the worker should too."""

    model: str | None = None
    family: str | None = None
    needs_models: bool = False

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
    model, family = parse_facts(source)
    return FileFacts(model, family, needs_models=True)


def parse_facts(source: bytes) -> tuple[str | None, str | None]:
    """Model and family: `CHECKPOINT = Checkpoint("...")`, and `FAMILY = "..."` or the first
    argument of `pool.get_model("...")`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, None
    model = family = None
    for statement in tree.body:
        match statement:
            case ast.Assign(
                targets=[ast.Name(id="CHECKPOINT")],
                value=ast.Call(args=[ast.Constant(value=str(name)), *_]),
            ):
                model = name
            case ast.Assign(targets=[ast.Name(id="FAMILY")], value=ast.Constant(value=str(name))):
                family = name
    return model, _known(family) or _family_asked_for(tree)


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
