"""What the header of a GGUF file says: architecture, figures and tensors, without its data.

A GGUF file (version 2 or 3, little-endian) starts with `GGUF`, the version, the number of
tensors and the number of metadata entries; then come the entries and the tensor list.
"""

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rpgen.models.safetensors_header import TornFileError

_NUMBERS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i",
    6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (1, 2),
}  # fmt: skip
"""Of the common kinds of quantisation: values in a block, and bytes that it takes."""

_MANY = 1 << 32  # a count above this is not a count but the wrong bytes

_MODEL_TYPES = {
    "command-r": "cohere",
    "gemma3": "gemma3_text",
    "gemma4": "gemma4_text",
    "t5encoder": "t5",
}
"""llama.cpp's name of an architecture where transformers' own differs in more than "_"."""

_FIGURES = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "vocab_size": "vocab_size",
}


@dataclass(frozen=True)
class GgufHeader:
    """Scalar metadata by key (an array is told by its length), and each tensor's shape."""

    version: int
    metadata: Mapping[str, Any]
    tensors: Mapping[str, tuple[int, ...]]
    data_end: int = 0  # where the last tensor ends, as far as the kinds in it are known

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape in self.tensors.values())

    def config(self) -> dict[str, Any]:
        """The header as far as a `config.json` would say the same, in transformers' words."""
        name = str(self.metadata.get("general.name", "")).lower()
        mistral = self.architecture == "llama" and "mistral" in name
        spelled = re.sub(r"(?<=\d)moe$", "_moe", self.architecture).replace("-", "_")
        model_type = _MODEL_TYPES.get(self.architecture, spelled)
        found = {
            ours: self.metadata[f"{self.architecture}.{theirs}"]
            for theirs, ours in _FIGURES.items()
            if f"{self.architecture}.{theirs}" in self.metadata
        }
        return {"model_type": "mistral" if mistral else model_type, **found}


def read_header(path: Path) -> GgufHeader:
    """Reads the header. Raises TornFileError; an OSError passes through."""
    with path.open("rb") as file:
        try:
            header = _read(file)
        except (struct.error, OverflowError, MemoryError) as error:
            raise TornFileError("it ends within its own header") from error
        except (ValueError, TypeError, RecursionError) as error:
            if isinstance(error, TornFileError):
                raise
            raise TornFileError(f"its header makes no sense ({error})") from error
    size = path.stat().st_size
    if size < header.data_end:
        raise TornFileError(f"it should be {header.data_end} bytes long and has {size}")
    return header


def _read(file: BinaryIO) -> GgufHeader:
    if file.read(4) != b"GGUF":
        raise TornFileError("it does not start with the letters GGUF")
    version = _number(file, "<I")
    if version not in (2, 3):
        raise TornFileError(f"it is of GGUF version {version}; 2 and 3 are known")
    tensors, entries = _count(file), _count(file)
    metadata: dict[str, Any] = {}
    for _ in range(entries):
        key = _string(file)
        metadata[key] = _value(file, _number(file, "<I"))
    shapes, data = {}, 0
    for _ in range(tensors):
        name, shape, end = _tensor(file)
        shapes[name], data = shape, max(data, end)
    alignment = int(metadata.get("general.alignment", 32)) or 32
    start = -(-file.tell() // alignment) * alignment
    return GgufHeader(version, metadata, shapes, start + data)


def _number(file: BinaryIO, layout: str) -> Any:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]


def _count(file: BinaryIO) -> int:
    count = int(_number(file, "<Q"))
    if count > _MANY:
        raise TornFileError(f"it counts {count} of something, which can't be")
    return count


def _string(file: BinaryIO) -> str:
    length = _count(file)
    raw = file.read(length)
    if len(raw) != length:
        raise TornFileError("it ends within its own header")
    return raw.decode("utf-8", errors="replace")


def _value(file: BinaryIO, kind: int) -> Any:
    """One value; of an array only its length, since vocabularies are long."""
    if kind in _NUMBERS:
        return _number(file, _NUMBERS[kind])
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        raise TornFileError(f"it holds a value of the unknown kind {kind}")
    inner, length = _number(file, "<I"), _count(file)
    if inner in _NUMBERS:
        file.seek(struct.calcsize(_NUMBERS[inner]) * length, 1)
        return length
    for _ in range(length):
        _value(file, inner)
    return length


def _tensor(file: BinaryIO) -> tuple[str, tuple[int, ...], int]:
    """A tensor's name, its shape, and where it ends, counted from the start of the data."""
    name = _string(file)
    shape = tuple(_count(file) for _ in range(_number(file, "<I")))
    values, size = _BLOCKS.get(_number(file, "<I"), (1, 0))
    return name, shape, int(_number(file, "<Q")) + math.prod(shape) // values * size
