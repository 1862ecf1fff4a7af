"""A batch of pictures that the device can take: halved, and told, while memory runs out."""

import gc
import logging
from collections.abc import Sequence
from typing import Any

import torch

from rpgen.checks.running import device_of, dtype_of, on, run
from rpgen.checks.told import TOLD
from rpgen.pool.oom import out_of_memory

logger = logging.getLogger("rpgen.checks")


def images_that_fit(
    model: torch.nn.Module, processor: Any, images: Sequence[Any], **others: Any
) -> list[Any]:
    """As many of `images` as one run takes: all, or the first half, and so on down to one.

    Each halving is told in the reports. What runs out with a single picture is an error: the
    model itself does not fit. `others` go to the processor as well.
    """
    kept = list(images)
    while True:
        shortage = _shortage(model, processor, kept, others)
        if shortage is None:
            return kept
        half = kept[: len(kept) // 2]
        halved = (
            f"a batch of {len(kept)} pictures did not fit on {device_of(model)}:"
            f" halved to {len(half)} ({shortage})"
        )
        TOLD.remark(halved)
        logger.warning("%s", halved)  # for who runs the file by itself
        kept = half


def _shortage(
    model: torch.nn.Module, processor: Any, images: list[Any], others: dict[str, Any]
) -> str | None:
    """What the device said when memory ran out, None where the batch fits."""
    try:
        inputs = processor(images=images, return_tensors="pt", **others)
        run(model, on(inputs, device_of(model), dtype_of(model)))
    except Exception as error:
        if len(images) == 1 or out_of_memory(error) is None:
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
    else:
        return None
    gc.collect()  # the failed run's tensors hang on its traceback
    for accelerator in (torch.cuda, torch.xpu):
        if accelerator.is_initialized():
            accelerator.empty_cache()
    return said
