"""What is told of a model that a backend runs: who computed, how far from torch, how long."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rpgen.backends.base import Description

DIGITS = 6


@dataclass(frozen=True)
class Difference:
    """The largest difference to torch's eager result on the CPU, in units of the spread
    (standard deviation) of that result, and the output it was found in."""

    relative: float
    output: str

    def larger(self, other: "Difference | None") -> "Difference":
        return self if other is None or not self.relative <= other.relative else other


@dataclass(frozen=True)
class Figures:
    """`cache` is what is said of generation: None where nothing was generated.

    `nodes` and `notes` are those of the first preparation, `prepare_seconds` of all together.
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
        return {**asdict(self), "notes": list(self.notes)}


def summed(
    target: str,
    told: list[Description],
    worst: Difference | None,
    compared: int,
    cache: str | None,
) -> Figures:
    """The figures of all preparations together; those of no preparation say so with None."""
    first = told[0] if told else Description("nothing was computed", "", "f32")
    runs = sum(each.runs for each in told)
    seconds = sum((each.run_seconds or 0.0) * each.runs for each in told)
    return Figures(
        target=target,
        computed_by=first.computed_by,
        device=first.device,
        precision=first.precision,
        software=any(each.software for each in told),
        nodes=dict(first.nodes),
        preparations=len(told),
        prepare_seconds=round(sum(each.prepare_seconds for each in told), 3),
        runs=runs,
        run_seconds=round(seconds / runs, DIGITS) if runs else None,
        compared=compared,
        difference=worst.relative if worst else None,
        difference_in=worst.output if worst else None,
        cache=cache,
        notes=first.notes,
    )


def difference(found: Mapping[str, Any], reference: Mapping[str, Any]) -> Difference | None:
    """The largest of all floating outputs; None where there is none."""
    worst: Difference | None = None
    for name, expected in reference.items():
        if expected.is_floating_point() and expected.numel():
            relative = _relative(found[name], expected)
            worst = Difference(relative, name.removeprefix("outputs.")).larger(worst)
    return worst


def _relative(found: Any, expected: Any) -> float:
    import torch

    if found.shape != expected.shape:
        return float("inf")
    one, other = found.double(), expected.double()
    apart = torch.where(one == other, 0.0, (one - other).abs())  # equal infinities are equal
    finite = other[torch.isfinite(other)]
    spread = float(finite.std(unbiased=False)) if finite.numel() else 0.0
    if spread == 0.0:
        spread = float(finite.abs().max()) if finite.numel() else 0.0
    worst = float(apart.nan_to_num(float("inf")).max())
    return worst / spread if spread else worst
