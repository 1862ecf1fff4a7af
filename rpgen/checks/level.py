"""How thorough the checks are: as far as this machine's memory goes, or as a person says.

Batches, lengths and repetitions of every level stand in `SCALES`, and nowhere else. Checks that
hold a second copy of the weights (or gradients, which weigh as much) ask for room first; what
does not fit is skipped with the figures.
"""

import os
import unittest
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch

from rpgen.checks.running import device_of, weights_mb
from rpgen.checks.told import TOLD
from rpgen.errors import UsageError
from rpgen.hardware.memory import device_free_mb, host_memory
from rpgen.pool.budgets import budgets_mb

VARIABLE = "RPGEN_LEVEL"
COPIES = 3.0
WORKING_MB = 256.0
"""A file at the normal level holds up to so many times the weights, and so much beside them."""


class Level(StrEnum):
    """Minimal holds no second copy of a model, normal that of a small one, thorough of any."""

    MINIMAL = "minimal"
    NORMAL = "normal"
    THOROUGH = "thorough"


@dataclass(frozen=True)
class Scale:
    """What a level comes to.

    `batch`: pictures or sounds in a batch. `own_texts`: how many of a file's texts are taken,
    None for all; `joined`: longer texts that are added to them. `stretch`: how much longer
    sounds are than a file says. `runs`: how often a run is repeated. `places`: positions of a
    text where another token is tried. `pieces`: tokens fed to a cache one by one.
    `largest_copy_mb`: the largest model of which a second copy is held.
    """

    level: Level
    batch: int
    own_texts: int | None
    joined: int
    stretch: float
    runs: int
    places: int
    pieces: int
    largest_copy_mb: float

    def texts(self, own: Sequence[str]) -> list[str]:
        """A file's own texts, or some of them, or also longer ones made by joining them."""
        longer = [" ".join(own[: count + 2]) for count in range(self.joined)]
        return [*own[: self.own_texts], *longer]


SCALES = {
    scale.level: scale
    for scale in (
        Scale(
            Level.MINIMAL,
            batch=2,
            own_texts=2,
            joined=0,
            stretch=0.5,
            runs=1,
            places=3,
            pieces=2,
            largest_copy_mb=0.0,
        ),
        Scale(
            Level.NORMAL,
            batch=3,
            own_texts=None,
            joined=0,
            stretch=1.0,
            runs=1,
            places=4,
            pieces=3,
            largest_copy_mb=512.0,
        ),
        Scale(
            Level.THOROUGH,
            batch=8,
            own_texts=None,
            joined=2,
            stretch=2.0,
            runs=4,
            places=16,
            pieces=8,
            largest_copy_mb=float("inf"),
        ),
    )
}


def asked_level() -> Level | None:
    """What RPGEN_LEVEL says, None where it says nothing. Raises UsageError."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return Level(text)
    except ValueError as error:
        known = ", ".join(Level)
        raise UsageError(f"{text!r} is not a level: write one of {known}") from error


def choose_level(asked: Level | None, free_mb: float | None, weights: float) -> tuple[Level, str]:
    """The level and the reason: minimal where what the normal one holds does not fit.

    Unknown free memory counts as enough. Thorough costs time more than memory, so it is for a
    person to ask for.
    """
    if asked is not None:
        return asked, "asked for"
    needs = weights * COPIES + WORKING_MB
    if free_mb is None:
        return Level.NORMAL, "by memory: how much is free is not known here"
    found = Level.MINIMAL if free_mb < needs else Level.NORMAL
    return found, (
        f"by memory: {free_mb:.0f} MB are free beside the model,"
        f" the normal level may take {needs:.0f} MB"
    )


def scale_for(model: torch.nn.Module) -> Scale:
    """The scale of a file's checks, from now on that of all of them; the reports tell it."""
    free = free_mb_on(device_of(model))
    level, TOLD.reason = choose_level(asked_level(), free, weights_mb(model))
    TOLD.level = level
    return SCALES[level]


def scale_now() -> Scale:
    """That which `scale_for` has set; before it the one asked for, else the normal one."""
    if TOLD.level is not None:
        return SCALES[Level(TOLD.level)]
    return SCALES[asked_level() or Level.NORMAL]


def refusal(scale: Scale, weights: float, needs_mb: float, free_mb: float | None) -> str | None:
    """Why a check that holds further copies is left out, None if it may run."""
    if free_mb is not None and free_mb < needs_mb:
        return f"it needs {needs_mb:.0f} MB beside the model, {free_mb:.0f} MB are free"
    if scale.largest_copy_mb == 0:
        return f"the {scale.level} level holds no second copy of a model"
    if weights > scale.largest_copy_mb:
        return (
            f"the weights take {weights:.0f} MB; the {scale.level} level copies up to"
            f" {scale.largest_copy_mb:.0f} MB, --level thorough all that fits"
        )
    return None


def require_room(
    model: torch.nn.Module, copies: float = 1.0, device: torch.device | None = None
) -> None:
    """Skip the test, with the figures, unless `copies` more copies of the weights fit."""
    place = device or device_of(model)
    weights = weights_mb(model)
    reason = refusal(scale_now(), weights, weights * copies * 1.2, free_mb_on(place))
    if reason is not None:
        raise unittest.SkipTest(reason)


def free_mb_on(device: torch.device) -> float | None:
    """Free memory of a device, or what a budget (`rpgen run --memory-budget`) leaves of it."""
    name = "cpu" if device.type == "cpu" else str(device)
    free = host_memory().available_mb if name == "cpu" else device_free_mb(name)
    budget = budgets_mb().get(name)
    return free if free is None or budget is None else min(free, budget)
