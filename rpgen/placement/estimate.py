"""How much memory a model will take, before it is loaded.

The best source is the last measured peak of the same model on the same kind of device. Else the
bytes of the weights come from whoever knows the checkpoint (safetensors headers, configuration,
file size: the source is named); what a run adds to them, activations and a decoder's cache, is
reckoned here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from rpgen.families import Family
from rpgen.hardware.types import Backend, Device

MB = 2**20
BYTES_OF = {"fp32": 4, "fp16": 2, "bf16": 2}

_WORKING_SHARE = {
    Family.EMBEDDING: 0.10,
    Family.TEXT_GENERATION: 0.15,
    Family.VISION: 0.20,
    Family.AUDIO: 0.30,
    Family.MULTIMODAL: 0.30,
}
"""Activations of a small test batch, as a share of the weights. A short text through an encoder
touches little; images and spectrograms are long sequences."""
_WORKING_LEAST_MB = {Backend.CPU: 4.0}
_WORKING_LEAST_ON_ACCELERATOR_MB = 24.0
"""What even a tiny model's forward pass takes: workspaces of the mathematical libraries."""

MEASURED = "the last measured peak"


@runtime_checkable
class WeightFigures(Protocol):
    """What a checkpoint tells of its weights without loading them."""

    @property
    def parameters(self) -> int | None: ...

    @property
    def source(self) -> str: ...

    def bytes_by_dtype(self, dtype: str | None) -> int | None: ...


@dataclass(frozen=True)
class Estimate:
    """Predicted memory in one dtype. `source` names where the weights' figure came from."""

    weights_mb: float
    working_mb: float
    cache_mb: float
    source: str

    @property
    def peak_mb(self) -> float:
        return self.weights_mb + self.working_mb + self.cache_mb


@dataclass(frozen=True)
class CacheShape:
    """The figures of a decoder's key-value cache."""

    layers: int
    kv_heads: int
    head_size: int


@dataclass(frozen=True)
class Needs:
    """What is known of a model when its place is decided. `figures` is None where nothing is.

    `peaks` are measured ones in MB, by kind of device (see `kind_of`) and dtype. `quantisers` are
    the packages that could make the weights smaller (None: whoever loads the model can't be asked
    for it), and `can_split` says whether it can be laid over several devices.
    """

    family: Family | None = None
    model_type: str | None = None
    figures: WeightFigures | None = None
    cache: CacheShape | None = None
    tokens: int = 256
    peaks: Mapping[tuple[str, str | None], float] = field(default_factory=dict)
    quantisers: tuple[str, ...] | None = ()
    can_split: bool = False

    def estimate(self, dtype: str | None, device: Device) -> Estimate | None:
        """Predicted memory with the weights in `dtype` (None: as they are stored)."""
        weights = self.figures.bytes_by_dtype(dtype) if self.figures else None
        if self.figures is None or weights is None:
            return None
        weights_mb = weights / MB
        peak = self.peaks.get((kind_of(device), dtype))
        if peak is not None:
            return Estimate(weights_mb, max(0.0, peak - weights_mb), 0.0, MEASURED)
        return Estimate(
            weights_mb=weights_mb,
            working_mb=working_mb(self.family, weights_mb, device.backend),
            cache_mb=cache_mb(self.cache, self.tokens, dtype) if self.cache else 0.0,
            source=self.figures.source,
        )


def kind_of(device: Device) -> str:
    """Devices of one kind take the same memory for the same model: all CPUs are one."""
    return (
        str(device.backend) if device.backend is Backend.CPU else f"{device.backend} {device.name}"
    )


def working_mb(family: Family | None, weights_mb: float, backend: Backend) -> float:
    """What a forward pass of a small test batch adds to the weights."""
    share = _WORKING_SHARE.get(family, 0.20) if family else 0.20
    least = _WORKING_LEAST_MB.get(backend, _WORKING_LEAST_ON_ACCELERATOR_MB)
    return max(least, share * weights_mb)


def cache_mb(shape: CacheShape, tokens: int, dtype: str | None) -> float:
    """Keys and values of every layer for every token."""
    values = 2 * shape.layers * shape.kv_heads * shape.head_size * tokens
    return values * BYTES_OF.get(dtype or "fp32", 4) / MB
