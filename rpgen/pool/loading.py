"""Making the thing: call the constructor, bring it to its device, measure it.

The first step of the ladder when memory runs out is here: free what is idle on that device and
try once more. The others are `obtain`'s.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rpgen.errors import DoesNotFitError
from rpgen.placement.choose import Placement
from rpgen.pool.entry import Loaded, Size
from rpgen.pool.keys import source_of
from rpgen.pool.oom import OutOfMemory, out_of_memory
from rpgen.pool.sizing import device_name, device_taken_mb, measure, torch_modules


class RanOutError(DoesNotFitError):
    """A load ran out of memory on one device, twice. `where` is what ran out: see `oom`."""

    def __init__(self, device: str, ran_out: OutOfMemory) -> None:
        super().__init__(f"{device} ran out of memory")
        self.device, self.where = device, ran_out.where


def load_plain(constructor: Callable[..., Any]) -> Loaded:
    """A resource or a tokenizer: no device, no ladder."""
    started = time.perf_counter()
    value = constructor()
    return Loaded(value, measure(value), time.perf_counter() - started)


def load_model(
    constructor: Callable[..., Any],
    placement: Placement,
    asked_dtype: bool,
    make_room: Callable[[str], object],
) -> Loaded:
    """A model on the device it was decided for. `make_room` frees what is idle there, and
    settles; RanOutError where that was not enough."""
    for attempt in (1, 2):
        try:
            return _one_try(constructor, placement, asked_dtype)
        except Exception as error:
            ran_out = out_of_memory(error)
            if ran_out is None or isinstance(error, DoesNotFitError):
                raise
            release_frames(error)
            if attempt == 2:
                raise RanOutError(placement.device, ran_out) from error
        make_room(placement.device)
    raise AssertionError("the second try returns or raises")


def _one_try(constructor: Callable[..., Any], placement: Placement, asked_dtype: bool) -> Loaded:
    source = source_of(constructor)
    before = device_taken_mb(placement.device)
    started = time.perf_counter()
    if source is not None:
        split = {"split": placement.split} if placement.split else {}
        value = constructor(device=placement.device, dtype=placement.loaded_as, **split)
    else:
        value = constructor()
        bring(value, placement.device, placement.dtype if asked_dtype else None)
    seconds = time.perf_counter() - started
    after = device_taken_mb(placement.device)
    size = measure(value)
    weights = dict(source.describe()).get("weights") if source else None
    return Loaded(
        value=value,
        size=size if size.device else _placed(size, placement),
        seconds=seconds,
        placement=placement,
        weights=str(weights) if weights else None,
        predicted_mb=placement.needed_mb,
        degraded=placement.degraded,
        quantiser=getattr(value, "rpgen_quantiser", None),
        device_delta_mb=None if before is None or after is None else round(after - before, 1),
    )


def _placed(size: Size, placement: Placement) -> Size:
    """Something without tensors is where it was decided to be: nothing can tell otherwise."""
    return replace(
        size,
        device=placement.device,
        dtype=placement.dtype,
        by_device={placement.device: size.total},
    )


def bring(value: Any, device: str, dtype: str | None) -> None:
    """Move the torch modules in a value, in place. What can't be moved stays where it is:
    quantised weights and models that are spread over several devices belong where they are."""
    import sys

    torch = sys.modules.get("torch")
    for module in torch_modules(value):
        if getattr(module, "is_quantized", False) or getattr(module, "hf_device_map", None):
            continue
        target = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}.get(dtype or "")
        if target is not None:
            module.to(device=device, dtype=getattr(torch, target))
        elif any(device_name(p.device) != device for p in _tensors(module)):
            module.to(device)


def _tensors(module: Any) -> list[Any]:
    return [*module.parameters(), *module.buffers()]


def release_frames(error: BaseException) -> None:
    """The frames of a failed load hold half a model; without them it is freed."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
