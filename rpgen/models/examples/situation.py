"""How a guess is made: everything that a repair may change, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Fix = tuple[int, int, int | None]
"""(old size, new size, axis or None for the last axis of that size)."""


@dataclass(frozen=True)
class Situation:
    """`names` are the arguments that are given. `layout` chooses between forms that the
    signature does not tell apart (features before or after time, pixels with or without
    frames); `turned` is a sound in the other of its two. `places` is how many tokens each kind
    of input takes in a text, `streams` how many ids each place of a text has, `flat` is a text of
    one id a place where more are documented, too, `spans` are films in the places of pictures
    between two marks, `ended` is a text with its end token, `axes` how many axes a mask has at
    most."""

    names: tuple[str, ...]
    batch: int = 2
    length: int = 12
    layout: int = 0
    image: tuple[int, int] | None = None
    samples: int | None = None
    turned: bool = False
    ids_below: int | None = None
    streams: int | None = None
    flat: bool = False
    spans: bool = False
    ended: bool = False
    pixel_rank: int | None = None
    pixel_images: int = 1
    film_rank: int | None = None
    pixel_axes: tuple[str, ...] = ()
    boolean_masks: bool = False
    places: Mapping[str, int] = field(default_factory=dict)
    fixes: Mapping[str, tuple[Fix, ...]] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    tried: frozenset[str] = frozenset()

    def but(self, **changes: Any) -> "Situation":
        return replace(self, **changes)

    def with_names(self, *names: str) -> "Situation":
        return replace(self, names=tuple(dict.fromkeys([*self.names, *names])))

    def without(self, name: str) -> "Situation":
        return replace(self, names=tuple(each for each in self.names if each != name))

    def with_fix(self, name: str, fix: Fix) -> "Situation":
        fixes = {**self.fixes, name: (*self.fixes.get(name, ()), fix)}
        return replace(self, fixes=fixes)

    def once(self, what: str) -> "Situation":
        """Marks a repair that is worth one attempt."""
        return replace(self, tried=self.tried | {what})
