"""What the shipped database says of a call with several kinds of input is true to its word."""

from collections.abc import Iterator
from typing import Any

from rpgen.architectures.heads import kinds_wanted
from rpgen.model_database import load
from rpgen.models.examples.kinds import kinds_of


def explored() -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Each type that has a recipe, with the kinds that one call should hold of it."""
    for name, raw in load().raw_architectures.items():
        if "rung" in raw.get("tiny", {}):
            yield name, kinds_wanted(raw.get("inputs", ())), raw["tiny"]


def test_joint_holds_every_kind_that_the_type_takes() -> None:
    short = {
        name: sorted(absent)
        for name, wanted, entry in explored()
        if "joint" in entry["levels"] and (absent := set(wanted) - held(entry))
    }
    assert short == {}


def held(entry: dict[str, Any]) -> set[str]:
    """The kinds that a call holds, and those that another of them excludes."""
    return {*kinds_of(entry["inputs"]), *entry.get("limits", ())}


def test_a_kind_that_is_excluded_is_so_by_one_that_is_held() -> None:
    for name, wanted, entry in explored():
        limits = set(entry.get("limits", ())) - {"whole"}
        assert limits <= set(wanted) - set(kinds_of(entry["inputs"])), name
        assert not limits or len(entry["kinds"]) > 1, name


def test_what_is_not_joint_says_which_kind_is_missing() -> None:
    for name, wanted, entry in explored():
        if "joint" not in entry["levels"]:
            absent = set(wanted) - set(kinds_of(entry["inputs"]))
            told = entry.get("problem", "")
            assert bool(absent) == bool(wanted), name
            assert all(f"{kind}: " in told for kind in absent), name


def test_the_kinds_that_are_noted_are_those_of_the_arguments() -> None:
    noted = {name: tuple(entry.get("kinds", ())) for name, _, entry in explored()}
    given = {name: kinds_of(entry["inputs"]) for name, _, entry in explored()}
    assert noted == given
