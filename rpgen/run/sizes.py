"""Sizes of memory as people write them."""

import re

from rpgen.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(k|m|g|t)(?:i?b)?)?", re.IGNORECASE)
_IN_MB = {"k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2}


def parse_size(text: str) -> float:
    """MB (2**20 bytes); a number alone is MB. UsageError for what is no size.

    >>> parse_size("8GB"), parse_size("1.5g"), parse_size("300")
    (8192.0, 1536.0, 300.0)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a size of memory: write 800MB, 8GB or a number of MB")
    return float(found[1]) * _IN_MB[(found[2] or "m").lower()]
