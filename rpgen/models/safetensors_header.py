"""What the header of a safetensors file says, and whether the file is as long as it claims.

The layout: eight bytes (the header's length, little-endian), the header (JSON: tensor name to
dtype, shape and data offsets), then the data. Only the header is read.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LENGTH_BYTES = 8
_LARGEST_HEADER = 100_000_000  # the format's own limit


class TornFileError(ValueError):
    """A weight file is cut off or is not what its name says. The message has the numbers."""


@dataclass(frozen=True)
class WeightSummary:
    """How much is in a weight file: values by the file's own dtype name, and data bytes."""

    by_dtype: Mapping[str, int]
    data_bytes: int

    @property
    def parameters(self) -> int:
        return sum(self.by_dtype.values())


def read_summary(path: Path) -> WeightSummary:
    """Reads and checks the header. Raises TornFileError; an OSError passes through."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > min(size - _LENGTH_BYTES, _LARGEST_HEADER):
            raise TornFileError(
                f"its header should be {length} bytes long, the whole file has {size}"
            )
        raw = file.read(length)
    return _summarise(_parse(raw), size - _LENGTH_BYTES - length)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise TornFileError(f"its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise TornFileError("its header is not a JSON object")
    header.pop("__metadata__", None)
    return header


def _summarise(header: Mapping[str, Any], data_there: int) -> WeightSummary:
    by_dtype: dict[str, int] = {}
    promised = 0
    for name, tensor in header.items():
        try:
            count = math.prod(int(extent) for extent in tensor["shape"])
            end = int(tensor["data_offsets"][1])
            dtype = str(tensor["dtype"])
        except (TypeError, KeyError, IndexError, ValueError, OverflowError) as error:
            raise TornFileError(f"its header describes {name!r} wrongly") from error
        by_dtype[dtype] = by_dtype.get(dtype, 0) + count
        promised = max(promised, end)
    if promised != data_there:
        raise TornFileError(f"it should hold {promised} bytes of weights and holds {data_there}")
    return WeightSummary(by_dtype, promised)
