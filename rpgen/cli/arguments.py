"""What Typer doesn't have: options with an optional value (`--hw-cache [PATH]`), finite numbers."""

import math
from collections.abc import Mapping, Sequence

import typer


def fill_optional_values(arguments: Sequence[str], defaults: Mapping[str, str]) -> list[str]:
    """`arguments` with the default put in where an option of `defaults` stands without a value.

    It stands without one at the end and before another option; a path that begins with a
    dash is written `--hw-cache=-path`. What follows `--` is left alone.

    >>> fill_optional_values(["detect", "--hw-cache", "--json"], {"--hw-cache": "h.json"})
    ['detect', '--hw-cache=h.json', '--json']
    """
    filled: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            return filled + list(arguments[position:])
        following = arguments[position + 1] if position + 1 < len(arguments) else "-"
        bare = argument in defaults and following.startswith("-")
        filled.append(f"{argument}={defaults[argument]}" if bare else argument)
    return filled


def finite(value: float) -> float:
    """For options that are numbers: Typer takes `inf` and `nan`, which mean nothing here."""
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number that can be kept to")
    return value
