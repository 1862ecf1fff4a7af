"""How thorough the checks are: as far as this machine's memory goes, or as a person says.

Checks that hold a second copy of the weights (or gradients, which weigh as much) ask for room
first. What does not fit is skipped with the figures.
"""

import os
import unittest
from enum import StrEnum

import torch

from rpgen.checks.running import device_of, weights_mb
from rpgen.errors import UsageError
from rpgen.hardware.memory import device_free_mb, host_memory

VARIABLE = "RPGEN_LEVEL"
LARGEST_COPY_MB = 512.0
"""At the normal level: beyond it a second copy costs more time than the rest of the file."""


class Level(StrEnum):
    """Minimal holds no second copy of a model, normal that of a small one, thorough of any."""

    MINIMAL = "minimal"
    NORMAL = "normal"
    THOROUGH = "thorough"


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


def choose_level(asked: Level | None, free_mb: float | None, needs_mb: float) -> Level:
    """Minimal where `needs_mb` do not fit; unknown free memory counts as enough."""
    if asked is not None:
        return asked
    return Level.MINIMAL if free_mb is not None and free_mb < needs_mb else Level.NORMAL


def refusal(level: Level, weights: float, needs_mb: float, free_mb: float | None) -> str | None:
    """Why a check that holds further copies is left out, None if it may run."""
    if free_mb is not None and free_mb < needs_mb:
        return f"it needs {needs_mb:.0f} MB beside the model, {free_mb:.0f} MB are free"
    if level is Level.MINIMAL:
        return "the minimal level holds no second copy of a model"
    if level is Level.NORMAL and weights > LARGEST_COPY_MB:
        return (
            f"the weights take {weights:.0f} MB; the normal level copies up to"
            f" {LARGEST_COPY_MB:.0f} MB, the level thorough all that fits"
        )
    return None


def require_room(
    model: torch.nn.Module, copies: float = 1.0, device: torch.device | None = None
) -> None:
    """Skip the test, with the figures, unless `copies` more copies of the weights fit."""
    place = device or device_of(model)
    weights = weights_mb(model)
    needs = weights * copies * 1.2
    free = free_mb_on(place)
    reason = refusal(choose_level(asked_level(), free, needs), weights, needs, free)
    if reason is not None:
        raise unittest.SkipTest(reason)


def free_mb_on(device: torch.device) -> float | None:
    if device.type == "cpu":
        return host_memory().available_mb
    return device_free_mb(str(device))
