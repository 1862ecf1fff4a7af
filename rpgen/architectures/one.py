"""Everything about some types, a line of JSON each.

`python -m rpgen.architectures.one [--anew] TYPE...`

A process of its own, because a model may take it down; who started it goes on with the rest.
"""

import json
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from rpgen.architectures.explore import explore
from rpgen.architectures.heads import heads_of, kinds_taken, kinds_wanted, part_lacking
from rpgen.architectures.remedies import remedies
from rpgen.architectures.trial import Verdict, subject, try_out
from rpgen.errors import RpgenError
from rpgen.model_database import Architecture, load
from rpgen.models.examples.kinds import kinds_of
from rpgen.models.recipe import Recipe, recipe_of, to_plain


def find(model_type: str, seconds: float = 40.0, *, anew: bool = False) -> dict[str, Any]:
    """The `tiny` entry of a type: its recipe, or the problem, or both.

    What is remembered and still holds stands; a search is for the others. Anew, it is for all,
    and what is remembered stands only where the search finds less.
    """
    known = load().architecture(model_type)
    assert known is not None
    remembered = _as_remembered(known)
    if remembered is not None and not anew:
        return remembered
    found = _searched(known, seconds)
    return found if remembered is None or _worth(found) >= _worth(remembered) else remembered


def _worth(entry: Mapping[str, Any]) -> tuple[bool, int, int]:
    """How much an entry gives: no problem first, then levels, then checks that it stands."""
    return "problem" not in entry, len(entry.get("levels", ())), -len(entry.get("left_out", ()))


def _searched(known: Architecture, seconds: float) -> dict[str, Any]:
    model_type = known.model_type
    heads = heads_of(known.auto_class, list(known.class_names), known.config_class)
    explored = explore(model_type, heads, known.inputs, seconds)
    entry: dict[str, Any] = {}
    problem = explored.problem
    if explored.recipe is not None:
        try:
            verdict = _best(model_type, explored.recipe)
        except (RpgenError, MemoryError) as error:
            problem = f"{type(error).__name__}: {error}"
            entry = to_plain(explored.recipe)
        else:
            entry = to_plain(verdict.recipe)
            problem = "; ".join(filter(None, (verdict.problem, problem))) or None
    return {**entry, **({"problem": problem} if problem else {})}


def _as_remembered(known: Architecture) -> dict[str, Any] | None:
    """The entry tried out again; None where it no longer holds, or never held in full."""
    recipe = recipe_of(known.model_type)
    if recipe is None or "problem" in known.tiny:
        return None
    held = kinds_of(recipe.inputs)
    takes = () if recipe.kinds else kinds_taken(known.model_type, recipe.auto_class)
    if {*kinds_wanted(known.inputs), *takes} - set(held):
        return None
    if part_lacking(known.model_type, recipe.auto_class):
        return None
    recipe = replace(recipe, kinds=held)
    try:
        verdict = try_out(known.model_type, recipe, whole=True)
    except Exception:  # noqa: BLE001 (whatever it is: what is remembered does not hold)
        return None
    return None if verdict.problem else to_plain(verdict.recipe)


def _best(model_type: str, recipe: Recipe) -> Verdict:
    """What the checks say of a recipe, else of the first other one that stands them."""
    verdict = try_out(model_type, recipe, whole=True)
    if verdict.problem is None:
        return verdict
    config = subject(model_type, recipe).config
    for other in remedies(recipe, config, verdict.problem):
        mended = _tried(model_type, other)
        if mended is not None and mended.problem is None:
            return mended
    return verdict


def _tried(model_type: str, recipe: Recipe) -> Verdict | None:
    """None where the model does not run at all like this."""
    try:
        return try_out(model_type, recipe, whole=True)
    except Exception:  # noqa: BLE001 (whatever it is: the next settings are tried)
        return None


def main(arguments: list[str]) -> int:
    import torch

    anew, types = "--anew" in arguments, [each for each in arguments if each != "--anew"]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    lines = sys.stdout
    for name in types:
        started = time.monotonic()
        print(json.dumps({"begun": name}), file=lines, flush=True)
        with redirect_stdout(sys.stderr):  # transformers prints what it finds undocumented
            entry = find(name, anew=anew)
        seconds = round(time.monotonic() - started, 2)
        row = {"type": name, "found": entry, "seconds": seconds}
        print(json.dumps(row), file=lines, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
