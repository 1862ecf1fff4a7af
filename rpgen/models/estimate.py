"""How large a model is before it is loaded, with the source of the figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from rpgen.models.gguf_header import read_header
from rpgen.models.local_files import LocalFiles
from rpgen.models.safetensors_header import TornFileError, WeightSummary, read_summary

BYTES_OF = {"fp32": 4, "fp16": 2, "bf16": 2}
_QUANTISED_BYTES = {"int8": 1.0, "int4": 0.5625}  # with the scales of blocks of 64 values
_FILE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
_NO_WEIGHTS = ("I64", "I32", "I16", "BOOL")  # positions and masks
_CONFIG_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}


class Counts(Protocol):
    """`meta_device.TensorCounts`, which this file need not know."""

    @property
    def parameters(self) -> int: ...
    @property
    def values(self) -> int: ...
    @property
    def fixed_bytes(self) -> int: ...
    @property
    def linear(self) -> int: ...


@dataclass(frozen=True)
class WeightEstimate:
    """The weights' size. `parameters` is None where no source tells; `source` says why not.

    `stored` counts values by the bytes each takes in the files: what a load in the
    checkpoint's own dtype needs. `values` and `fixed_bytes` are of all the model's tensors,
    buffers included, where the configuration was asked: see `meta_device`.
    """

    parameters: int | None
    source: str
    stored: Mapping[int, int] = field(default_factory=dict)
    values: int | None = None
    fixed_bytes: int = 0
    linear: int | None = None

    def bytes_by_dtype(self, dtype: str | None) -> int | None:
        """Bytes in memory as `fp32`, `fp16` or `bf16`; None: as stored (fp32 if unknown).

        With `int8` and `int4` the linear layers shrink and the rest is fp32; without knowing
        how much that is nothing is said to shrink.
        """
        if self.parameters is None:
            return None
        if dtype in _QUANTISED_BYTES and self.linear is not None:
            whole = self.bytes_by_dtype("fp32") or 0
            return whole - round(self.linear * (4 - _QUANTISED_BYTES[dtype]))
        values = self.parameters if self.values is None else self.values
        if dtype is None and self.stored:
            count = sum(self.stored.values())
            total = sum(width * count for width, count in self.stored.items())
            return round(total * values / max(count, 1)) + self.fixed_bytes
        return values * BYTES_OF.get(dtype or "fp32", 4) + self.fixed_bytes

    def with_tensors(self, counts: "Counts") -> "WeightEstimate":
        """With what the configuration says the model holds, which the files may not: buffers
        that are worked out, a head that is new; or not more than it: a head that isn't used."""
        return replace(
            self,
            parameters=counts.parameters,
            source=f"{self.source} and the configuration",
            values=counts.values,
            fixed_bytes=counts.fixed_bytes,
            linear=counts.linear,
        )


def from_files(files: LocalFiles) -> WeightEstimate | None:
    """From the headers of the weight files, else from their size; None without any."""
    try:
        if files.gguf and files.weight_files:
            return WeightEstimate(read_header(files.weight_files[0]).parameters, "GGUF header")
        if not files.whole:
            return None
        if files.weight_files[0].suffix == ".safetensors":
            return _from_headers([read_summary(path) for path in files.weight_files])
        size = sum(path.stat().st_size for path in files.weight_files)
    except (TornFileError, OSError):
        return None
    width = _CONFIG_BYTES.get(_own_dtype(files.config or {}), 4)
    return WeightEstimate(size // width, "file size", {width: size // width})


def _from_headers(summaries: list[WeightSummary]) -> WeightEstimate:
    stored: dict[int, int] = {}
    for summary in summaries:
        for dtype, count in summary.by_dtype.items():
            if dtype in _NO_WEIGHTS:
                continue
            width = _FILE_BYTES.get(dtype, 4)
            stored[width] = stored.get(width, 0) + count
    return WeightEstimate(sum(stored.values()), "safetensors headers", stored)


def _own_dtype(config: Mapping[str, object]) -> str:
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")
