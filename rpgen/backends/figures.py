"""What is told of a model that a backend runs: who computed, how far from torch, how long."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rpgen.models.rounding import allowed, scale_of, shut

DIGITS = 6

SAME = 1e-4
"""A difference to torch, relative to the spread of its result, that every model may have."""


@dataclass(frozen=True)
class Difference:
    """The largest difference to torch's eager result on the CPU, in units of the spread
    (standard deviation) of that result, and the output it was found in. Infinite where the two
    can't be compared: other sizes, or no number where torch has one."""

    relative: float
    output: str
    allowed: float = SAME

    def larger(self, other: "Difference | None") -> "Difference":
        return self if other is None or not self.relative <= other.relative else other

    @property
    def is_beyond(self) -> bool:
        return not self.relative <= self.allowed

    def __str__(self) -> str:
        if not math.isfinite(self.relative):
            return f"other sizes, or no number where torch has one, in {self.output}"
        return (
            f"{self.relative:.1e} of the spread of torch's result in {self.output}"
            f" ({self.allowed:.1e} is allowed)"
        )


@dataclass(frozen=True)
class Figures:
    """`cache` is what is said of generation: None where nothing was generated.

    `nodes` and `notes` are those of the first preparation that was used, `prepare_seconds` of all
    together that were made. A `difference` of None with a `difference_in` is no number.
    """

    target: str
    computed_by: str
    device: str
    precision: str
    software: bool
    nodes: Mapping[str, int]
    preparations: int
    prepare_seconds: float
    runs: int
    run_seconds: float | None
    compared: int
    difference: float | None
    difference_in: str | None
    cache: str | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        finite = self.difference is not None and math.isfinite(self.difference)
        difference = self.difference if finite else None  # JSON has no word for infinity
        return {**asdict(self), "difference": difference, "notes": list(self.notes)}


def differences(
    found: Mapping[str, Any], reference: Mapping[str, Any], depth: int
) -> tuple[Difference, ...]:
    """One for each floating output that has values; `depth` layers computed it."""
    return tuple(
        _difference(name.removeprefix("outputs."), found[name], expected, depth)
        for name, expected in reference.items()
        if expected.is_floating_point() and expected.numel()
    )


def worst_of(each: tuple[Difference, ...]) -> Difference | None:
    worst: Difference | None = None
    for one in each:
        worst = one.larger(worst)
    return worst


def _difference(name: str, found: Any, expected: Any, depth: int) -> Difference:
    import torch

    if found.shape != expected.shape:
        return Difference(math.inf, name)
    one, other = found.double(), expected.double()
    alike = (one == other) | (one.isnan() & other.isnan())  # equal infinities are equal
    if found.is_floating_point():
        alike |= shut(found) & shut(expected) & ((found > 0) == (expected > 0))
    apart = torch.where(alike, 0.0, (one - other).abs())
    worst = float(apart.nan_to_num(math.inf).max())
    spread, largest = scale_of(expected)
    may = max(SAME * spread, allowed(spread, largest, expected.dtype, depth))
    return Difference(worst / (spread or 1.0), name, may / (spread or 1.0))
