"""What a configuration leaves open and its model can't do without, filled in from the error.

Many configuration classes have defaults that are no model: a number of experts that is None, a
length that "needs to be specified". The error names the attribute, or the line that failed
does. What is found for a type is remembered in the database.
"""

import copy
import dataclasses
import inspect
import linecache
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rpgen.models.shrink import CODES

Overrides = dict[str, Any]
"""Values by path in the tree: `text_config.num_experts`."""

_NEVER = re.compile(
    r"^_|pad$|pad_|(^|_)mode$|type$|implementation|path|name|dtype|device|labels?$|id2label"
    r"|output_|return_|loss|gradient|mask_index|architectures|problem|task_spec|(bos|eos|pad)_token"
    r"|^self$|^none$|^config$|^transformers|quantization|sub_configs|chunk_size_feed"
)
_LINES_BEFORE = 10
_LINES_AFTER = 3
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
    (r"channels$", [16]),
    (r"downsample_rate$", "1/2"),
    (r"eps$", 1e-5),
    (r"drop", 0.0),
    (r"scal|factor|std|alpha", 1.0),
    (r"act$|activation", "gelu"),
)
"""The first pattern that an attribute's name matches gives its value."""

_ROTATION = {"rope_type": "default", "rope_theta": 10_000.0}
_WIDTH = re.compile(r"(dim|size|width|d_model|rank)$")


def completed(config: Any, error: BaseException, known: Mapping[str, Any]) -> Overrides:
    """Values for what `error` misses in the tree of `config`; empty where nothing is found.

    `known` are those that were filled in before, and did not help enough.
    """
    tree = dict(_tree(config))
    for path, value in _candidates(tree, error):
        if path not in known and _takes(tree, path, value):
            return {path: value}
    return {}


def _takes(tree: Mapping[str, Any], path: str, value: Any) -> bool:
    """Would the configuration accept it? Some check the types of what is set."""
    from huggingface_hub.errors import StrictDataclassError

    place, _, key = path.rpartition(".")
    node = tree[place]
    before = getattr(node, key, None)
    try:
        setattr(node, key, _copy(value))
        setattr(node, key, before)
    except (TypeError, ValueError, AttributeError, StrictDataclassError):
        return False
    return True


def apply(config: Any, overrides: Mapping[str, Any]) -> None:
    """Sets the values where their paths lead; a part that isn't there is left out."""
    for path, value in overrides.items():
        place, _, key = path.rpartition(".")
        node = config
        for step in filter(None, place.split(".")):
            node = getattr(node, step, None)
        if node is not None:
            setattr(node, key, _copy(value))


def _copy(value: Any) -> Any:
    return copy.deepcopy(value)


def _tree(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    from transformers import PreTrainedConfig

    yield path, config
    for key, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from _tree(value, f"{path}.{key}" if path else key)


def _candidates(tree: Mapping[str, Any], error: BaseException) -> Iterator[tuple[str, Any]]:
    words = str(error)
    absent = re.search(r"'(\w+)' object has no attribute '(\w+)'", words)
    if absent:
        yield from _attribute(tree, absent[1], absent[2])
    for name, value in re.findall(r"`?(?:config\.)?(\w+)\s*={1,2}\s*(True|False)`?", words):
        yield from _switch(tree, name, value == "True")
    if "vocabulary size" in words:
        yield from ((_join(path, "vocab_size"), 64) for path, node in tree.items()
                    if vars(node).get("vocab_size", 0) is None)  # fmt: skip
    if "can only be called on Attention layers" in words or "has_previous_state" in words:
        yield from _mixed_layers(tree)
    wrong = re.search(r"cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)", words)
    if wrong:
        yield from _other_width(tree, int(wrong[2]), int(wrong[1]))
    lacking = re.search(r"[Cc]ould not find a `(\w+)` argument in the config", words)
    if lacking:
        yield from (
            (_join(path, lacking[1]), value_for(lacking[1], node))
            for path, node in tree.items()
            if "layer_types" in vars(node)
        )
    sizes = re.search(r"Expected size (\d+) but got size (\d+)", words)
    if sizes:
        yield from _other_width(tree, int(sizes[1]), int(sizes[2]))
        yield from _other_width(tree, int(sizes[2]), int(sizes[1]))
    if isinstance(error, KeyError) and error.args:
        yield from _rotations(tree, error.args[0])
    for name in re.findall(r"`?(?:config\.)?(\w{5,})`?", words):
        yield from _open(tree, name)
    for name in _names_in_lines(error):
        yield from _open(tree, name)


def _attribute(tree: Mapping[str, Any], kind: str, name: str) -> Iterator[tuple[str, Any]]:
    for path, node in tree.items():
        if type(node).__name__ != kind:
            continue
        others = (vars(other).get(name) for other in tree.values())
        found = next((value for value in others if value is not None), None)
        yield _join(path, name), found if found is not None else value_for(name, node)


def _switch(tree: Mapping[str, Any], name: str, wanted: bool) -> Iterator[tuple[str, Any]]:
    for path, node in tree.items():
        value = vars(node).get(name)
        if isinstance(value, bool) and value is not wanted:
            yield _join(path, name), wanted


def _mixed_layers(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A stack of one kind of layer where the model needs one of each."""
    for path, node in tree.items():
        for name in ("layer_types", "layers_block_type"):
            if isinstance(getattr(node, name, None), list | tuple):
                kinds = kinds_of_layers(node, name) or ["mamba", "attention"]
                yield _join(path, name), kinds[:2]
        if "attn_layer_indices" in vars(node):
            yield _join(path, "attn_layer_indices"), [1]


def _other_width(tree: Mapping[str, Any], old: int, new: int) -> Iterator[tuple[str, Any]]:
    """A part expects another width than it is given: those that speak of what comes in."""
    for pattern in ("encoder_hidden|encoder_dim|cross|input|in_", "hidden|dim|width|size|channels"):
        for path, node in tree.items():
            for name, value in vars(node).items():
                if not re.search(pattern, name):
                    continue
                if type(value) is int and value == old:
                    yield _join(path, name), new
                elif isinstance(value, list | tuple) and value and value[-1] == old:
                    yield _join(path, name), [*value[:-1], new]


def _rotations(tree: Mapping[str, Any], kind: Any) -> Iterator[tuple[str, Any]]:
    """One set of rotary parameters where the model has one for each kind of layer."""
    for path, node in tree.items():
        rope, kinds = getattr(node, "rope_parameters", None), getattr(node, "layer_types", None)
        if isinstance(rope, dict) and kinds and kind in kinds and kind not in rope:
            yield (
                _join(path, "rope_parameters"),
                {each: dict(rope) or dict(_ROTATION) for each in dict.fromkeys(kinds)},
            )


def _open(tree: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Where an attribute of that name is there and None."""
    if _NEVER.search(name):
        return
    for path, node in tree.items():
        own = (getattr(node, "attribute_map", None) or {}).get(name, name)
        if own in vars(node) and vars(node)[own] is None:
            yield _join(path, own), value_for(own, node)
            for value in _borrowed(own, node.model_type):
                yield _join(path, own), value


def _borrowed(name: str, model_type: str) -> Iterator[Any]:
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


def _names_in_lines(error: BaseException) -> Iterator[str]:
    """Attributes that transformers' code reads around the lines that failed, innermost first."""
    places, trace = [], error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    for file, line in reversed(places):
        if "transformers" not in file:
            continue
        around = [*range(line, line + _LINES_AFTER + 1), *range(line - 1, line - _LINES_BEFORE, -1)]
        text = "".join(linecache.getline(file, number) for number in around if number > 0)
        for names in re.findall(r"(?:config|self)((?:\.\w+)+)", text):
            for name in names.strip(".").split("."):
                yield name
                yield from _assigned(name, file)


def _assigned(name: str, file: str) -> list[str]:
    """What a module's attribute was taken from: `self.top_k = config.num_experts_per_tok`."""
    source = "".join(linecache.getlines(file))
    return re.findall(rf"self\.{name}\s*=\s*(?:\w+\.)*config\.(\w+)", source)


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


def _layers(name: str, node: Any) -> list[str]:
    depth = getattr(node, "num_hidden_layers", None) or 2
    kinds = kinds_of_layers(node, name) or ["full_attention"]
    return [kinds[min(place, len(kinds) - 1)] for place in range(depth)]


def kinds_of_layers(node: Any, name: str) -> list[str]:
    """The words that the model's code compares such a list with."""
    module = sys.modules.get(type(node).__module__.replace("configuration_", "modeling_"))
    if module is None:
        return []
    source = inspect.getsource(module)
    found = re.findall(rf"{name}\[[^\]]*\]\s*([!=])=\s*\"(\w+)\"", source)
    words = [word for _, word in found]
    if any(sign == "!" for sign, _ in found) and len(set(words)) == 1:
        words.append("full_attention")
    if name == "mlp_layer_types":
        words = ["dense", *words]
    return list(dict.fromkeys(words))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
