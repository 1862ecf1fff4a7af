"""Packages that some architectures need and that can't be installed here, each with the why."""

from collections.abc import Iterable, Mapping

WHY: Mapping[str, str] = {}
"""By name; a package without an entry is named alone."""


def told(packages: Iterable[str]) -> str:
    """In a few words, for a sentence in brackets."""
    return "; ".join(f"{name}: {WHY[name]}" if name in WHY else name for name in sorted(packages))
