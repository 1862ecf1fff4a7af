"""Checks of what is torch's own, on a model that a backend computes: they say so and skip."""

import unittest
from typing import Any

from rpgen.backends.attach import computed_of
from rpgen.checks.running import Inputs, run


def torch_must_compute(model: Any, what: str) -> None:
    """Skip the test where a backend computes the model: `what` is torch's."""
    computed = computed_of(model)
    if computed is not None:
        raise unittest.SkipTest(f"{computed.target} computes the forward pass only: {what} torch's")


def cache_must_work(model: Any, inputs: Inputs) -> None:
    """Skip the test where a backend computes the model, and can't with a cache."""
    computed = computed_of(model)
    if computed is None:
        return
    if not computed.can_cache(lambda: run(model, inputs, use_cache=True)):
        raise unittest.SkipTest(
            f"{computed.target} computes without a cache: {computed.without_cache}"
        )
