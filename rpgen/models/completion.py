"""What a configuration leaves open and its model can't do without, filled in from the error.

Many configuration classes have defaults that are no model: a number of experts that is None, a
length that "needs to be specified". The error names the attribute, or the line that failed
does. What is found for a type is remembered in the database.
"""

import copy
import linecache
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rpgen.models.completion_fits import fewer_codebooks, fewer_heads, longer_table
from rpgen.models.completion_values import borrowed, convolutions, kinds_of_layers, value_for

Overrides = dict[str, Any]
"""Values by path in the tree: `text_config.num_experts`."""

_NEVER = re.compile(
    r"^_|pad$|pad_|(^|_)mode$|type$|implementation|path|name|dtype|device|labels?$|id2label"
    r"|output_|return_|loss|gradient|mask_index|architectures|problem|task_spec|(bos|eos|pad)_token"
    r"|^self$|^none$|^config$|^transformers|quantization|sub_configs|chunk_size_feed"
)
_LINES_BEFORE = 10
_LINES_AFTER = 3
_ROTATION = {"rope_type": "default", "rope_theta": 10_000.0}


def completed(config: Any, error: BaseException, known: Mapping[str, Any]) -> Overrides:
    """Values for what `error` misses in the tree of `config`; empty where nothing is found.

    `known` are those that were filled in before, and did not help enough.
    """
    tree = dict(_tree(config))
    for path, value in _candidates(tree, error):
        if _is_open(path, value, known) and _takes(tree, path, value):
            return {path: value}
    return {}


def _is_open(path: str, value: Any, known: Mapping[str, Any]) -> bool:
    """Each path is set once; a list may be put right figure by figure."""
    if path not in known:
        return True
    before = known[path]
    both = isinstance(value, list) and isinstance(before, list)
    return both and len(before) == len(value) > 1 and before != value


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


def filled(figures: dict[str, Any], kind: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a configuration of that class with the lists that were empty; without
    what the class then infers from them anew."""
    lists = {
        key: value
        for key, value in overrides.items()
        if isinstance(figures.get(key), list | tuple) and not figures[key]
    }
    if not lists:
        return figures
    known = getattr(kind, "__dataclass_fields__", figures)
    return {**{key: value for key, value in figures.items() if key in known}, **lists}


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
    if "index out of range in self" in words:
        yield from longer_table(tree, error)
    yield from fewer_heads(tree, error)
    yield from fewer_codebooks(tree, error)
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
    yield from _stages(tree, error)
    channels = re.search(r"to have (\d+) channels, but got (\d+) channels", words)
    if channels:
        yield from _in_lists(tree, int(channels[1]), int(channels[2]))
    sizes = re.search(r"Expected size (\d+) but got size (\d+)", words)
    if sizes:
        yield from _other_width(tree, int(sizes[1]), int(sizes[2]))
        yield from _other_width(tree, int(sizes[2]), int(sizes[1]))
    if isinstance(error, KeyError) and error.args:
        yield from _rotations(tree, error.args[0])
    if "non-empty" in words:
        yield from _empty(tree)
    if "'NoneType' object is not subscriptable" in words:
        yield from _looked_up(tree, error)
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


def _stages(tree: Mapping[str, Any], error: BaseException) -> Iterator[tuple[str, Any]]:
    """A backbone gives out its last stage where the model uses all of them."""
    channels = re.search(r"to have (\d+) channels, but got (\d+) channels", str(error))
    for path, node in tree.items():
        names, given = getattr(node, "stage_names", None), getattr(node, "out_indices", None)
        if not path or not names or not given or len(given) > 1:
            continue
        stages = len(names) - 1
        joined = channels is not None and int(channels[1]) == stages * int(channels[2])
        if isinstance(error, IndexError) or joined:
            yield _join(path, "out_indices"), list(range(1, stages + 1))


def _in_lists(tree: Mapping[str, Any], old: int, new: int) -> Iterator[tuple[str, Any]]:
    """The widths of several things that come in: the first that is wrong is put right."""
    for path, node in tree.items():
        for name, value in vars(node).items():
            if "channels" in name and isinstance(value, list | tuple) and old in value:
                place = list(value).index(old)
                yield _join(path, name), [*value[:place], new, *value[place + 1 :]]


def _empty(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """One level where the model loops over a list of levels that is empty."""
    for path, node in tree.items():
        for name, value in vars(node).items():
            if isinstance(value, list | tuple) and not value and "factors" in name:
                yield _join(path, name), [1.0]


def _looked_up(tree: Mapping[str, Any], error: BaseException) -> Iterator[tuple[str, Any]]:
    """A table that is None, with the key that the failed line looks up in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    for name, key in re.findall(r"\.(\w+)\[\"(\w+)\"\]", line):
        for path, node in tree.items():
            if vars(node).get(name, 0) is None:
                yield _join(path, name), {key: value_for(key, node)}


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
            yield _join(path, own), convolutions(own, node)
            for value in borrowed(own, node.model_type):
                yield _join(path, own), value


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


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
