"""One load at a time, in silence, and every switch afterwards as it was before.

transformers loads by changing switches of the whole process (the default dtype, whether
weights are initialised), so two loads at once spoil each other's model. Its verbosity and its
progress bars are such switches too, as are the warnings of Python.
"""

import random
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_loading = threading.RLock()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Alone among the loads of this process, nothing said; errors still come through."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging

    with _loading, warnings.catch_warnings(action="ignore"):
        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        hub_bars = not are_progress_bars_disabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()
            (enable_progress_bars if hub_bars else disable_progress_bars)()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers from a seed, and the generators afterwards as if nothing had drawn.

    Only the host's generators: weights are made on the host and moved afterwards. torch's
    `fork_rng` would touch every device.
    """
    import numpy
    import torch

    generator: Any = torch.default_generator
    before = generator.get_state(), random.getstate(), numpy.random.get_state()
    generator.manual_seed(seed)
    random.seed(seed)
    numpy.random.seed(seed)
    try:
        yield
    finally:
        generator.set_state(before[0])
        random.setstate(before[1])
        numpy.random.set_state(before[2])
