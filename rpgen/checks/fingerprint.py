"""Tensors in a line, and how far two such lines are apart."""

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from rpgen.checks.baseline_file import SAMPLES, Fingerprint
from rpgen.checks.tensors import named_tensors, place_of
from rpgen.checks.tolerance import shut, tolerance_of

_DIGITS = 9


@dataclass(frozen=True)
class Drift:
    """What differs of a tensor. `times` is the difference in tolerances, None where it has no
    size (another shape, another text)."""

    name: str
    what: str
    times: float | None = None


def fingerprints(value: Any) -> dict[str, Fingerprint]:
    """Of every tensor in an output or in inputs, by name."""
    return {
        name.removeprefix("it.") or "it": fingerprint_of(tensor)
        for name, tensor in named_tensors(value, "it")
        if tensor.numel()
    }


def fingerprint_of(tensor: torch.Tensor) -> Fingerprint:
    """Raises AssertionError for NaN or infinity: they compare with nothing.

    What is shut out counts as 0, or its size would be all that the figures tell.
    """
    values = tensor.detach().cpu()
    shape, dtype = tuple(values.shape), str(values.dtype).removeprefix("torch.")
    if not values.is_floating_point():
        digest = f"{zlib.crc32(values.contiguous().numpy().tobytes()):08x}"
        return Fingerprint(shape, dtype, digest=digest)
    flat = values.double().masked_fill(shut(values), 0.0).reshape(-1)
    if not bool(torch.isfinite(flat).all()):
        raise AssertionError("NaN and infinity compare with nothing: no baseline is made of them")
    return Fingerprint(
        shape,
        dtype,
        mean=_written(flat.mean()),
        spread=_written(flat.std(unbiased=False)),
        largest=_written(flat.abs().max()),
        parts=tuple(_written(part.mean()) for part in flat.tensor_split(SAMPLES) if len(part)),
        values=tuple(_written(flat[place]) for place in _places(len(flat))),
    )


def of_parameters(model: torch.nn.Module) -> Fingerprint:
    """Of all weights together: whether a drift is theirs or the computation's."""
    weights = [p.detach() for p in model.parameters() if p.numel()]
    means = [torch.linalg.vector_norm(p, 1, dtype=torch.float32) / p.numel() for p in weights]
    count = sum(parameter.numel() for parameter in weights)
    whole = fingerprint_of(torch.stack([mean.cpu() for mean in means]))
    return Fingerprint(
        (count,), whole.dtype, whole.mean, whole.spread, whole.largest, whole.parts, whole.values
    )


def drifts(
    found: Mapping[str, Fingerprint],
    recorded: Mapping[str, Fingerprint],
    dtype: torch.dtype,
    depth: int,
) -> list[Drift]:
    """Where the two are apart by more than the rounding of `depth` layers; the worst first."""
    told = [Drift(name, "is new") for name in found.keys() - recorded.keys()]
    told += [Drift(name, "is missing") for name in recorded.keys() - found.keys()]
    for name in sorted(recorded.keys() & found.keys()):
        drift = _drift(name, found[name], recorded[name], dtype, depth)
        told += [drift] if drift else []
    return sorted(told, key=lambda each: -(each.times if each.times is not None else 1e300))


def _drift(
    name: str, found: Fingerprint, recorded: Fingerprint, dtype: torch.dtype, depth: int
) -> Drift | None:
    for what in ("shape", "dtype", "digest"):
        now, was = getattr(found, what), getattr(recorded, what)
        if now != was:
            text = "holds other numbers" if what == "digest" else f"has {what} {now}, not {was}"
            return Drift(name, text)
    if found.digest is not None:
        return None
    spread, largest = recorded.spread or abs(recorded.mean or 0.0), recorded.largest or 0.0
    allowed = tolerance_of(spread, largest, dtype, depth).absolute
    for figures in _figures(found, recorded):
        where, now, was = max(figures, key=lambda each: abs(each[1] - each[2]))
        if abs(now - was) > allowed:
            times = abs(now - was) / allowed if allowed else math.inf
            told = f"{where} is {now:.6g} instead of {was:.6g}, {abs(now - was):.3g} apart"
            return Drift(name, f"{told} (the tolerance is {allowed:.3g})", times)
    return None


def _figures(found: Fingerprint, recorded: Fingerprint) -> Iterator[list[tuple[str, float, float]]]:
    """The figures of both with their places in words, those first that say best where."""
    shape = torch.empty(found.shape, device="meta")
    places = [list(place_of(torch.tensor(flat), shape)) for flat in _places(shape.numel())]
    pairs = zip(places, found.values, recorded.values, strict=False)
    yield [(f"the value at {place}", now, was) for place, now, was in pairs]
    parts = enumerate(zip(found.parts, recorded.parts, strict=False), 1)
    yield [(f"the mean of part {n} of {len(found.parts)}", now, was) for n, (now, was) in parts]
    yield [
        ("the mean", found.mean or 0.0, recorded.mean or 0.0),
        ("the spread", found.spread or 0.0, recorded.spread or 0.0),
    ]


def _places(count: int) -> list[int]:
    """Evenly from the first to the last."""
    last = count - 1
    return sorted({round(step * last / (SAMPLES - 1)) for step in range(SAMPLES)})


def _written(value: torch.Tensor) -> float:
    return float(f"{float(value):.{_DIGITS}g}")
