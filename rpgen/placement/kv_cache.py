"""The shape of a decoder's key-value cache, read off a configuration's own names for it."""

from collections.abc import Mapping
from typing import Any

from rpgen.placement.estimate import CacheShape

_LAYERS = ("decoder_layers", "num_decoder_layers", "num_hidden_layers", "n_layer", "num_layers",
           "n_layers")  # fmt: skip
_HEADS = ("decoder_attention_heads", "num_attention_heads", "n_head", "num_heads", "n_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_kv_heads")
_HEAD_SIZES = ("head_dim", "d_kv", "attention_head_dim")
_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim")
_PARTS = ("text_config", "decoder", "llm_config", "language_config", "text_encoder")


def cache_shape(config: Mapping[str, Any]) -> CacheShape | None:
    """None where the configuration doesn't tell.

    Of a model with several parts the one that writes text counts. An encoder-decoder keeps
    keys and values of the encoder's output as well: its layers count twice.
    """
    for name in _PARTS:
        part = config.get(name)
        if isinstance(part, Mapping) and (shape := cache_shape(part)) is not None:
            return shape
    layers, heads = _first(config, _LAYERS), _first(config, _HEADS)
    if config.get("multi_query") is True:
        heads_kept: int | None = 1
    else:
        heads_kept = _first(config, _KV_HEADS) or heads
    size = _first(config, _HEAD_SIZES)
    width = _first(config, _WIDTHS)
    if size is None and width is not None and heads:
        size = width // heads
    if layers is None or heads_kept is None or size is None:
        return None
    both = 2 if config.get("is_encoder_decoder") is True else 1
    return CacheShape(layers=layers * both, kv_heads=heads_kept, head_size=size)


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = (config.get(name) for name in names)
    return next(
        (n for n in found if isinstance(n, int) and not isinstance(n, bool) and n > 0), None
    )
