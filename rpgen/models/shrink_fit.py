"""What must agree within a configuration: widths and heads, rotary sections, outputs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_EXPERTS = re.compile(r"^(num|n|moe_num)_(?!shared)\w*experts$")
_ROWS = re.compile(r"^(hidden_size|moe_latent_size|\w*intermediate_size)$")
_FEATURE_LAYERS = re.compile("feature_layers?$|deepstack_visual_indexes$|select_layers?$|hook_ids$")
_SMALLEST_HEAD = 8
_SHORTEST_BLOCK = 3
_HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads")
_WIDTHS = ("hidden_size", "n_embd", "d_model", "embed_dim")
_HEADS_OF_WIDTHS = (
    ("num_attention_heads", ("embed_dim", "hidden_size")),
    ("num_heads", ("embed_dim", "hidden_size", "dim")),
    ("attention_heads", ("hidden_size",)),
    ("n_head", ("n_embd",)),
    ("encoder_attention_heads", ("d_model",)),
    ("decoder_attention_heads", ("d_model",)),
)
_INNER_WIDTHS = ("embed_dim", "hidden_size")  # where the one is what it computes in


def nodes(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configuration and every configuration within it."""
    yield config
    for value in config.values():
        if isinstance(value, Mapping) and "model_type" in value:
            yield from nodes(value)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_table(value: Any) -> bool:
    """The blocks of the stages of a network, written out: (kernel, in, out, stride, ...)."""
    stages = value if isinstance(value, list | tuple) else ()
    blocks = [block for stage in stages if isinstance(stage, list | tuple) for block in stage]
    return bool(blocks) and all(
        isinstance(block, list | tuple) and len(block) > _SHORTEST_BLOCK and is_count(block[0])
        for block in blocks
    )


def first_count(node: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((node[name] for name in names if is_count(node.get(name))), None)


def is_consistent(config: Mapping[str, Any]) -> bool:
    """Do the widths still divide by the heads, with an even and usable width per head?"""
    return all(_heads_fit(node) for node in nodes(config))


def _heads_fit(node: Mapping[str, Any]) -> bool:
    heads = first_count(node, _HEADS)
    width = first_count(node, _INNER_WIDTHS if "spatial_merge_size" in node else _WIDTHS)
    if heads is None or width is None:
        return True
    if any(_EXPERTS.search(key) for key in node) and _ragged(node):
        return False
    per_head = node.get("head_dim") or node.get("d_kv")
    if per_head is None:
        if width % heads:
            return False
        per_head = width // heads
    rotated = _rotated(node, per_head)
    sections = 2 if "spatial_merge_size" in node else len(_sections_of(node))
    whole = rotated % (4 if sections == 2 else 2) == 0
    return bool(per_head >= _SMALLEST_HEAD and rotated >= 2 * max(1, sections) and whole)


def _rotated(node: Mapping[str, Any], per_head: int) -> int:
    rope = node.get("rope_parameters")
    if not isinstance(rope, Mapping):
        return per_head
    several = [each for each in rope.values() if isinstance(each, Mapping)] or [rope]
    shares = [each.get("partial_rotary_factor") or 1 for each in several]
    return int(per_head * min(shares))


def _sections_of(node: Mapping[str, Any]) -> list[int]:
    rope = node.get("rope_parameters")
    found = rope.get("mrope_section") if isinstance(rope, Mapping) else None
    return list(found) if isinstance(found, list | tuple) else []


def _ragged(node: Mapping[str, Any]) -> bool:
    """The grouped products of experts want rows of whole 16 bytes, in half types too."""
    return any(is_count(value) and value % 8 for key, value in node.items() if _ROWS.search(key))


def fit_heads(small: dict[str, Any]) -> None:
    """Where the width per head follows from the two, as many heads as leave a multiple of 8."""
    for heads, widths in _HEADS_OF_WIDTHS:
        count, width = first_count(small, (heads,)), first_count(small, widths)
        kv = first_count(small, ("num_key_value_heads",)) or count
        explicit = any(small.get(key) for key in ("head_dim", "kv_channels", "d_kv"))
        if count is None or count < 2 or width is None or explicit:
            continue
        if kv != count and width % count == 0:
            continue
        if width % count == 0 and width // count % 4 == 0 and width // count >= _SMALLEST_HEAD:
            continue
        step = kv if kv is not None and kv != count else 1
        fitting = [n for n in range(count, 0, -1) if width % (8 * n) == 0 and n % step == 0]
        if fitting:
            small[heads] = fitting[0]
            if step == 1 and is_count(small.get("num_key_value_heads")):
                small["num_key_value_heads"] = fitting[0]


def fit_states(small: dict[str, Any]) -> None:
    """The heads of a layer with states take up its inner width."""
    heads, per_head = (first_count(small, (f"mamba_{n}",)) for n in ("n_heads", "d_head"))
    width = first_count(small, ("mamba_d_ssm",))
    if width is None:
        factor, outer = (first_count(small, (name,)) for name in ("mamba_expand", "hidden_size"))
        width = factor * outer if factor and outer else None
    if not heads or not per_head or not width or heads * per_head == width:
        return
    if width % _SMALLEST_HEAD == 0:
        small["mamba_d_head"] = _SMALLEST_HEAD
        small["mamba_n_heads"] = width // _SMALLEST_HEAD


def fit_sections(small: dict[str, Any]) -> None:
    """Rotary sections take up half of what is rotated of a head, in proportion as before."""
    sections = _sections_of(small)
    heads = first_count(small, ("num_attention_heads",))
    width = first_count(small, ("hidden_size",))
    per_head = small.get("head_dim") or (width // heads if heads and width else None)
    if not sections or not per_head or sum(sections) <= 0:
        return
    half = _rotated(small, per_head) // 2
    fitted = [max(1, section * half // sum(sections)) for section in sections]
    alone = [place for place, each in enumerate(sections) if sections.count(each) == 1]
    fitted[alone[0] if alone else 0] += half - sum(fitted)
    small["rope_parameters"] = {**small["rope_parameters"], "mrope_section": fitted}


def fit_upsampling(small: dict[str, Any]) -> None:
    """A vocoder halves its channels at each step up: enough of them that the last has one."""
    steps, channels = small.get("upsample_rates"), small.get("upsample_initial_channel")
    if isinstance(steps, list | tuple) and is_count(channels):
        small["upsample_initial_channel"] = max(channels, 2 ** len(steps))


def fit_outputs(small: dict[str, Any], depth: int) -> None:
    """A backbone without stages gives out the states of some layers: the last ones left."""
    inner = small.get("backbone_out_indices")
    if inner:
        small["backbone_out_indices"] = list(range(depth - len(inner), depth))
    if "stage_names" not in small:
        return
    wanted = len(small.get("out_indices") or [1])
    last = list(range(max(1, depth - wanted + 1), depth + 1))
    small["stage_names"] = ["stem", *(f"stage{index}" for index in range(1, depth + 1))]
    small["out_indices"] = last
    small["out_features"] = [f"stage{index}" for index in last]


def fit_feature_layers(small: dict[str, Any]) -> None:
    """Layers of the vision part whose states are used: of those that are left."""
    names = ("vision_config", "vit_config", "image_config", "patch_model_config")
    parts = [small.get(name) for name in names]
    depths = [
        first_count(part, ("num_hidden_layers", "depth", "num_layers"))
        for part in parts
        if isinstance(part, Mapping)
    ]
    depth = next((each for each in depths if each), None)
    for node in nodes(small):
        for key in [key for key in node if _FEATURE_LAYERS.search(key)]:
            if depth is not None and isinstance(node, dict):
                node[key] = _within(node[key], depth)


def _within(value: Any, depth: int) -> Any:
    if isinstance(value, list | tuple):
        return [_within(each, depth) for each in value]
    return max(-depth, min(value, depth - 1)) if is_count(value) else value
