"""An option with an optional value, which Typer doesn't have: `--hw-cache [PATH]`."""

from collections.abc import Sequence

OPTIONAL_VALUE = "--hw-cache"


def fill_optional_value(arguments: Sequence[str], default: str) -> list[str]:
    """`arguments` with `default` put in where `--hw-cache` stands without a path.

    It stands without one at the end and before another option; a path that begins with a
    dash is written `--hw-cache=-path`. What follows `--` is left alone.

    >>> fill_optional_value(["detect", "--hw-cache", "--json"], "h.json")
    ['detect', '--hw-cache=h.json', '--json']
    """
    filled: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            return filled + list(arguments[position:])
        following = arguments[position + 1] if position + 1 < len(arguments) else "-"
        bare = argument == OPTIONAL_VALUE and following.startswith("-")
        filled.append(f"{OPTIONAL_VALUE}={default}" if bare else argument)
    return filled
