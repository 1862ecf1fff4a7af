"""The shape of a key-value cache from configurations as they are written."""

from typing import Any

import pytest

from rpgen.placement.estimate import CacheShape, cache_mb
from rpgen.placement.kv_cache import cache_shape

CONFIGS: dict[str, tuple[dict[str, Any], CacheShape | None]] = {
    "gpt2": ({"n_layer": 12, "n_head": 12, "n_embd": 768}, CacheShape(12, 12, 64)),
    "llama 3": (
        {
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "hidden_size": 4096,
            "head_dim": None,
        },
        CacheShape(32, 8, 128),
    ),
    "qwen3": (
        {
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "hidden_size": 1024,
            "head_dim": 128,
        },
        CacheShape(28, 8, 128),
    ),
    "starcoder": (
        {"n_layer": 24, "n_head": 16, "n_embd": 2048, "multi_query": True},
        CacheShape(24, 1, 128),
    ),
    "t5, also the encoder's output": (
        {"num_layers": 6, "num_decoder_layers": 6, "num_heads": 8, "d_kv": 64, "d_model": 512,
         "is_encoder_decoder": True},
        CacheShape(12, 8, 64),
    ),
    "whisper": (
        {"decoder_layers": 4, "decoder_attention_heads": 6, "d_model": 384,
         "num_hidden_layers": 4, "is_encoder_decoder": True},
        CacheShape(8, 6, 64),
    ),
    "llava: the part that writes": (
        {
            "text_config": {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64},
            "vision_config": {"num_hidden_layers": 24, "hidden_size": 1024},
        },
        CacheShape(2, 4, 16),
    ),
    "nothing told": ({"model_type": "x"}, None),
    "nonsense": ({"n_layer": "12", "n_head": True, "n_embd": -3}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_shapes(name: str) -> None:
    config, shape = CONFIGS[name]
    assert cache_shape(config) == shape


def test_what_that_takes() -> None:
    shape = cache_shape(CONFIGS["llama 3"][0])
    assert shape is not None
    assert cache_mb(shape, 8192, "fp16") == 1024.0
