"""Arrays between Python and a page, as bytes.

    4 bytes   length of the heading, little-endian
    heading   JSON: [{"name", "type", "shape", "offset", "bytes"}, ...], offsets from the data
    data      the arrays as they lie in memory, each at a multiple of 8

`type` is ONNX Runtime's word for it. Only little-endian machines run such browsers.
"""

import json
import math
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

TYPES = (
    *("float32", "float64", "float16", "int64", "uint64", "int32", "uint32"),
    *("int16", "uint16", "int8", "uint8", "bool"),
)
"""What a page knows. ONNX Runtime and numpy call them the same."""

_LENGTH = struct.Struct("<I")
_ALIGNED = 8
_MOST_HEADING = 1 << 24


class WireError(ValueError):
    """Bytes that are no arrays, or arrays that a page has no type for."""


def encode(arrays: "Mapping[str, np.ndarray[Any, Any]]") -> bytes:
    """Raises WireError for a type that pages don't know, such as bfloat16 or text."""
    import numpy as np

    heading, data, offset = [], [], 0
    for name, array in arrays.items():
        if array.dtype.name not in TYPES:
            raise WireError(f"a page can't be given {name}: it has no type {array.dtype.name}")
        content = np.ascontiguousarray(array).tobytes()
        shape = [int(size) for size in array.shape]
        heading.append(
            {
                "name": name,
                "type": array.dtype.name,
                "shape": shape,
                "offset": offset,
                "bytes": len(content),
            }
        )
        filled = content.ljust(_up(len(content)), b"\0")
        data.append(filled)
        offset += len(filled)
    words = json.dumps(heading).encode()
    start = _up(_LENGTH.size + len(words))
    return b"".join([_LENGTH.pack(len(words)), words, b" " * (start - 4 - len(words)), *data])


def decode(content: bytes) -> "dict[str, np.ndarray[Any, Any]]":
    """The arrays are copies, so that they may be written to. Raises WireError."""
    import numpy as np

    if len(content) < _LENGTH.size:
        raise WireError("the answer is cut off")
    (length,) = _LENGTH.unpack_from(content)
    if length > min(_MOST_HEADING, len(content) - _LENGTH.size):
        raise WireError("the answer's heading is longer than the answer")
    try:
        heading = json.loads(content[_LENGTH.size : _LENGTH.size + length])
        start = _up(_LENGTH.size + length)
        found = {}
        for each in heading:
            if each["type"] not in TYPES:
                raise WireError(f"{each['name']} has a type of its own, {each['type']}")
            kind = np.dtype(each["type"])
            shape = tuple(int(size) for size in each["shape"])
            count = math.prod(shape)
            if count * kind.itemsize != each["bytes"] or min(shape, default=0) < 0:
                raise WireError(f"{each['name']} has {each['bytes']} bytes for the shape {shape}")
            array = np.frombuffer(content, kind, count, start + int(each["offset"]))
            found[str(each["name"])] = array.reshape(shape).copy()
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(f"the answer can't be read: {error}") from error
    return found


def _up(size: int) -> int:
    """To the next multiple of 8."""
    return -(-size // _ALIGNED) * _ALIGNED
