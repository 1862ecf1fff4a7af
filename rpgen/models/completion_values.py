"""Small values for an attribute that a configuration leaves open, by its name and by what the
model's code and other configurations say of it."""

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

from rpgen.models.shrink import CODES

_ALPHABET = {
    "<image>": 10,
    "<|extra_200|>": 11,
    **{f"IMGIMG{''.join(chr(65 + int(d)) for d in str(n))}Z": 100 + n for n in range(CODES)},
    **{f"<|visual token {n:06d}|>": 200 + n for n in range(CODES)},
}
"""Pictures spelled in words of the vocabulary, in the two spellings that there are."""

_VALUES: tuple[tuple[str, Any], ...] = (
    (r"^vocabulary_map$", _ALPHABET),
    (r"index\w*kv_heads", 1),
    (r"vocab", 64),
    (r"experts_per|top_?k", 2),
    (r"experts|n_group", 4),
    (r"(attn|attention)_layer_(indices|idx|ids)", [1]),
    (r"rope_theta", 10_000.0),
    (r"token_(id|index)$|_idx$", 0),
    (r"prediction_length|context_length|window|budget", 8),
    (r"deepstack_layer_map", [[0, 0]]),
    (r"kernel_sizes$", [3]),
    (r"kernel_list$", [3, 2, 2]),
    (r"scale_factor_list$", [1, 2, 4, 8]),
    (r"channels$", [16]),
    (r"downsample_rate$", "1/2"),
    (r"eps$", 1e-5),
    (r"drop", 0.0),
    (r"scal|factor|std|alpha", 1.0),
    (r"act$|activation", "gelu"),
)
"""The first pattern that an attribute's name matches gives its value."""

_WIDTH = re.compile(r"(dim|size|width|d_model|rank)$")


def value_for(name: str, node: Any) -> Any:
    """A small value that an attribute of that name can have in that configuration."""
    if name.endswith("layer_types") or name == "layers_block_type":
        return _layers(name, node)
    heads, width = (getattr(node, each, None) for each in ("num_attention_heads", "hidden_size"))
    if name == "head_dim" and heads and isinstance(width, int):
        return width // heads
    if name in ("num_key_value_heads", "num_attention_heads", "num_heads"):
        return heads or getattr(node, "num_heads", None) or 2
    several = getattr(node, f"{name.removeprefix('default_')}s", None)
    if name.startswith("default_") and isinstance(several, list | tuple) and several:
        return several[0]
    for pattern, value in _VALUES:
        if re.search(pattern, name):
            return value
    if _WIDTH.search(name):
        return width if isinstance(width, int) else 32
    return 2


def convolutions(name: str, node: Any) -> dict[str, list[int]]:
    """A table of convolutions (kernel, stride, padding), each of one pixel, with the keys that
    the model's code looks up in it."""
    return {key: [1, 1, 0] for key in re.findall(rf"{name}\[\"(\w+)\"\]", _code(node))}


def _code(node: Any) -> str:
    """The text of the model that belongs to a configuration, empty where it isn't loaded."""
    module = sys.modules.get(type(node).__module__.replace("configuration_", "modeling_"))
    return inspect.getsource(module) if module is not None else ""


def _layers(name: str, node: Any) -> list[str]:
    depth = getattr(node, "num_hidden_layers", None) or 2
    kinds = kinds_of_layers(node, name) or ["full_attention"]
    return [kinds[min(place, len(kinds) - 1)] for place in range(depth)]


def kinds_of_layers(node: Any, name: str) -> list[str]:
    """The words that the model's code compares such a list with."""
    names = "|".join([name, *(k for k, v in (node.attribute_map or {}).items() if v == name)])
    words = re.findall(rf"(?:{names})\[[^\]]*\]\s*[!=]=\s*\"(\w+)\"", _code(node))
    if len(set(words)) == 1 and words[0] not in ("attention", "full_attention"):
        words.append("full_attention")
    if name == "mlp_layer_types":
        words = ["dense", *words]
    return list(dict.fromkeys(words))


def borrowed(name: str, model_type: str) -> Iterator[Any]:
    """What other configurations have as their default for it, those of like name first."""
    from transformers import CONFIG_MAPPING

    def likeness(other: str) -> int:
        pairs = enumerate(zip(other, model_type, strict=False))
        return -next((place for place, (one, two) in pairs if one != two), len(other))

    for other in sorted(CONFIG_MAPPING.keys(), key=likeness):
        value = _default(CONFIG_MAPPING[other], name)
        if value is not None:
            yield value


def _default(kind: Any, name: str) -> Any:
    field = getattr(kind, "__dataclass_fields__", {}).get(name)
    if field is None:
        return None
    if field.default is not dataclasses.MISSING:
        return field.default
    made = field.default_factory
    return None if made is dataclasses.MISSING else made()
