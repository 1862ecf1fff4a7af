"""Python literals as a formatter would leave them: the only way that values enter a file."""

import math
from collections.abc import Mapping
from typing import Any

WIDTH = 88


def literal(value: Any, indent: int = 0, used: int = 0) -> str:
    """`value` as source text: one line if it fits beside `used` columns, else one per item.

    >>> literal({"device": "auto", "index": 0})
    '{"device": "auto", "index": 0}'
    """
    line = _one_line(value)
    if indent + used + len(line) <= WIDTH or not isinstance(value, (Mapping, list, tuple)):
        return line
    inner = " " * (indent + 4)
    if isinstance(value, Mapping):
        opening, closing = "{", "}"
        rows = [
            f"{_one_line(k)}: {literal(v, indent + 4, len(_one_line(k)) + 3)}"
            for k, v in value.items()
        ]
    else:
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        rows = [literal(item, indent + 4, 1) for item in value]
    return "\n".join([opening, *(f"{inner}{row}," for row in rows), " " * indent + closing])


def docstring_text(value: str) -> str:
    """`value` for a docstring or a comment: no quote, backslash or control character survives."""
    plain = value.replace("\\", "/").replace('"', "'")
    return "".join(c if c.isprintable() else "?" for c in plain)


def _one_line(value: Any) -> str:
    if isinstance(value, str):
        return _string(str(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_one_line(k)}: {_one_line(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_one_line(item) for item in value) + "]"
    if isinstance(value, tuple):
        inside = ", ".join(_one_line(item) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"no literal for {value}")
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise TypeError(f"no literal for {type(value).__name__}")


def _string(text: str) -> str:
    """repr, but with double quotes as formatters prefer; ascii only, so nothing hides in it."""
    single = ascii(text)
    inside = single[1:-1]
    if single[0] == "'" and '"' not in inside and "\\'" not in inside:
        return f'"{inside}"'
    return single
