"""Keep transformers from talking while something loads, and leave its settings as they were.

Verbosity, warnings and progress bars are switches of the whole process, so threads that load
at once share one saved state: the first in saves it, the last out puts it back.
"""

import random
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_saved: tuple[int, bool, bool] | None = None
_warnings = warnings.catch_warnings()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    global _inside, _saved, _warnings
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging

    with _lock:
        _inside += 1
        if _inside == 1:
            hub_bars = not are_progress_bars_disabled()
            _saved = (logging.get_verbosity(), logging.is_progress_bar_enabled(), hub_bars)
            logging.set_verbosity(logging.CRITICAL)
            logging.disable_progress_bar()
            _warnings = warnings.catch_warnings(action="ignore")
            _warnings.__enter__()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _saved is not None:
                _warnings.__exit__(None, None, None)
                verbosity, bars, hub_bars = _saved
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
