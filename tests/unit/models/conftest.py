"""Model folders made of headers and JSON: nothing here needs torch."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

Folder = Callable[..., Path]


def safetensors_bytes(tensors: dict[str, tuple[str, list[int]]], missing: int = 0) -> bytes:
    """A safetensors file of zeros; `missing` bytes are cut off its end."""
    widths = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        start, size = end, widths[dtype]
        for extent in shape:
            size *= extent
        end = start + size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(end - missing)


def gguf_string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_bytes(architecture: str = "llama") -> bytes:
    """A GGUF file with three entries, one of them a list, and one tensor of 4 x 8."""
    entries = [
        gguf_string("general.architecture") + struct.pack("<I", 8) + gguf_string(architecture),
        gguf_string("tokens") + struct.pack("<IIQ", 9, 8, 2) + gguf_string("a") + gguf_string("b"),
        gguf_string(f"{architecture}.block_count") + struct.pack("<II", 4, 3),
    ]
    tensor = gguf_string("token_embd.weight") + struct.pack("<IQQIQ", 2, 4, 8, 0, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries) + tensor


@pytest.fixture
def model_folder(tmp_path: Path) -> Folder:
    """Makes a folder with a config.json and weights; keywords leave out or add files."""

    def make(name: str = "model", weights: bytes | None = b"", **files: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
        if weights is not None:
            (folder / "model.safetensors").write_bytes(
                weights or safetensors_bytes({"a": ("F32", [4, 8])})
            )
        for file, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / file.replace("__", ".")).write_text(text)
        return folder

    return make


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache that huggingface_hub believes in."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder
