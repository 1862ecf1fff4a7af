"""From the figures of a configuration to those of a tiny model of the same structure.

Works on the plain dict that `config.to_dict()` gives, with its nested configurations. Every
width in the whole tree is divided by one factor, so that what had to be equal or a multiple
stays so; the number of heads is kept (large models give up heads too, in proportion); one
layer of each kind is kept; the vocabulary is cut and every token id moves along with it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VOCABULARY = 1024
LAYERS = 2
KINDS_OF_LAYERS = 4
EXPERTS = 4
POSITIONS = 2048
SPEECH_POSITIONS = 100  # two seconds of sound in models of Whisper's kind
SPECTROGRAM = 128  # frames, in models that take one spectrogram of fixed length
IMAGE = 256
PATCHES = 6  # a side, of a picture that becomes as many tokens of a text as it has patches
QUERIES = 20  # of a detector, so that a small picture has enough places for them
ATTENTION_WINDOW = 32


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: what widths, numbers of heads and inner widths are divided by."""

    widths: int
    heads: int = 1
    inner: int = 1


@dataclass(frozen=True)
class _Stack:
    """The layers of one configuration: how many there are, and which ones stay."""

    depth: int
    kept: tuple[int, ...]


LADDER = (
    Rung(8), Rung(16, inner=4), Rung(16), Rung(32, heads=4, inner=2), Rung(64, heads=8),
    Rung(32, inner=2), Rung(64), Rung(10, inner=4), Rung(20, heads=2, inner=2),
    Rung(40, heads=4), Rung(4), Rung(2), Rung(1),
)  # fmt: skip

_WIDTH = re.compile(
    r"hidden_size|hidden_dim|(^|_)dims?$|^dim_|_dim_|width$|widths$|d_model$|n_embd|d_inner|n_inner"
    r"|ffn|^d_ff|d_kv|^d_v$|intermediate|embed(ding)?_size|^embed|_rank$|filters|proj(ection)?_size"
    r"|channels?$|^flow_size$|channel_list|planes|inner_size|lstm|bottleneck|state_size|codevector_dim|_units$"
    r"|expert_size|d_head|head_width|pos_feats$|ff_mult_dim|conv_out"
)
_NOT_WIDTH = re.compile(
    r"^num_(?!filters|pos_feats)|token|vocab|patch(es|_size|_stride|_norm)|kernel|stride|window|ratio|max_|drop|eps"
    r"|position_embeddings|type$|_act$|rope_|scale|factor|time_step|audio_channels|depth|index|_id$"
    r"|per_group|n_groups|norm|embeds_layer"
)
_INNER = re.compile(r"intermediate|ffn|d_ff$|n_inner|inner_size|mlp_dim|expert_size")
_HEAD_DIM = re.compile(r"head_dim$|^d_kv$|^d_head$|^kv_channels$|head_width")
_HEADS = re.compile(r"heads$|^n_head$|^num_heads|^n_head_kv$|_head_num$")
_LAYERS = re.compile(r"(^|_)layers?$|^depth$|_depth$|_num_flows$")
_NOT_LAYERS = re.compile(r"feat|conv_|adapter|select|shared|nextn|separable|downsample")
_STAGES = re.compile(
    r"^depths$|^layers_per_stage$|^layers$|^num_blocks$|_depths$|^num_stage_blocks$"
)
_EXPERTS = re.compile(r"^(num|n|moe_num)_(?!shared)\w*experts$")
_CHOSEN_EXPERTS = re.compile(r"experts_per_tok|^moe_top_?k$|num_selected_experts")
_TOKEN = re.compile(r"token_(id|ids|index|idx)$|suppress_tokens$|forced_decoder_ids$")
_MULTIPLIERS = ("width_coefficient", "depth_coefficient", "depth_multiplier", "width_multiplier")
_MULTIPLIER = 4.0
_DEPTH_NAMES = (
    "num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers", "depth",
)  # fmt: skip

_OUTPUTS = ("out_indices", "backbone_out_indices")

_TINY_BACKBONE = {
    "model_type": "resnet",
    "embedding_size": 16,
    "hidden_sizes": [16, 24, 32, 48],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}


def shrunk(config: Mapping[str, Any], rung: Rung) -> dict[str, Any]:
    """The same tree with small figures. The result is new; `config` is left alone."""
    small = _shrink(config, rung)
    _fit_picture(small)
    limit = _vocabulary(small)
    if limit is not None:
        _move_tokens(small, _new_ids(small, limit))
    return small


def is_consistent(config: Mapping[str, Any]) -> bool:
    """Do the widths still divide by the heads, with an even and usable width per head?"""
    return all(_heads_fit(node) for node in nodes(config))


def nodes(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configuration and every configuration within it."""
    yield config
    for value in config.values():
        if isinstance(value, Mapping) and "model_type" in value:
            yield from nodes(value)


def _shrink(config: Mapping[str, Any], rung: Rung) -> dict[str, Any]:
    if "width_coefficient" in config:  # the channel lists are multiplied by it
        rung = Rung(int(_MULTIPLIER))
    stack = _stack(config)
    small: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            small[key] = _shrink_mapping(key, value, rung)
        elif isinstance(value, list | tuple):
            small[key] = _shrink_list(key, list(value), rung, config)
        else:
            small[key] = _shrink_figure(key, value, rung, config)
    if stack is not None:
        _fit_outputs(small, len(stack.kept))
    if "image_embedding_size" in small and "patch_size" in small:
        small["image_embedding_size"] = small["image_size"] // small["patch_size"]
    return small


def _shrink_mapping(key: str, value: Mapping[str, Any], rung: Rung) -> dict[str, Any]:
    if value.get("model_type") == "timm_backbone":  # needs a package, and its name fixes its size
        outputs = value.get("out_indices") or [4]
        return {**_TINY_BACKBONE, "out_indices": [index for index in outputs if index <= 4]}
    if "model_type" in value:
        return _shrink(value, rung)
    if key.startswith("rope") and isinstance(value.get("mrope_section"), list | tuple):
        head = rung.widths // rung.heads
        return {**value, "mrope_section": _sections(list(value["mrope_section"]), head)}
    return dict(value)


def _sections(sections: list[int], factor: int) -> list[int]:
    """Rotary sections whose sum shrinks by the factor; no section vanishes."""
    total = sum(sections) // factor
    small = [max(1, section // factor) for section in sections]
    small[0] += max(total - sum(small), 1 - small[0])
    return small


def _shrink_figure(key: str, value: Any, rung: Rung, config: Mapping[str, Any]) -> Any:
    if key in _MULTIPLIERS and isinstance(value, float):
        return value / _MULTIPLIER
    if key in ("use_timm_backbone", "use_pretrained_backbone"):
        return False
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if key.endswith("vocab_size"):
        return VOCABULARY if value > 4 * VOCABULARY else value
    if _LAYERS.search(key) and not _NOT_LAYERS.search(key) and "depths" not in config:
        stack = _stack(config)
        return min(value, len(stack.kept) if stack else LAYERS)
    return _shrink_count(key, value, rung, config)


def _shrink_count(key: str, value: int, rung: Rung, config: Mapping[str, Any]) -> int:
    if _EXPERTS.search(key):
        return min(value, EXPERTS)
    if _CHOSEN_EXPERTS.search(key):
        return min(value, 2)
    if key in ("n_group", "topk_group", "first_k_dense_replace"):
        return min(value, 1)
    if key == "max_position_embeddings":
        return min(value, POSITIONS)
    if key == "max_source_positions" and value >= 1000:
        return SPEECH_POSITIONS
    if key == "num_queries":
        return min(value, QUERIES)
    if key == "attention_window":
        return min(value, ATTENTION_WINDOW)
    if key == "max_length" and "frequency_stride" in config:
        return min(value, SPECTROGRAM)
    if key == "image_size" and value > 2 * IMAGE:
        return _image_size(config.get("patch_size"))
    if _HEADS.search(key):
        return value // rung.heads if value % rung.heads == 0 else value
    return _width(key, value, rung)


def _image_size(patch: Any) -> int:
    return IMAGE // patch * patch if isinstance(patch, int) and patch <= IMAGE else IMAGE


def _width(key: str, value: int, rung: Rung) -> int:
    if _HEAD_DIM.search(key):
        return _divided(value, max(1, rung.widths // rung.heads))
    if not _WIDTH.search(key) or _NOT_WIDTH.search(key):
        return value
    return _divided(value, rung.widths * (rung.inner if _INNER.search(key) else 1))


def _divided(value: int, factor: int) -> int:
    """Divided where that leaves something; else to the multiple of 8 below, at least 8."""
    if value <= 16 or factor == 1:
        return value
    if value % factor == 0 and value // factor >= 2:
        return value // factor
    return max(8, value // factor // 8 * 8)


def _shrink_list(key: str, value: list[Any], rung: Rung, config: Mapping[str, Any]) -> list[Any]:
    stack = _stack(config)
    if stack is not None and len(value) == stack.depth:
        value = [value[index] for index in stack.kept]
    if not value or not all(type(item) is int for item in value):
        return [_shrink(v, rung) if isinstance(v, Mapping) else v for v in value]
    if key == "attention_window":
        return [min(item, ATTENTION_WINDOW) for item in value]
    if _STAGES.search(key):
        return [min(item, 1) for item in value]
    if _WIDTH.search(key) and not _NOT_WIDTH.search(key) and "width_coefficient" not in config:
        return [_divided(item, rung.widths) for item in value]
    return value


def _stack(config: Mapping[str, Any]) -> _Stack | None:
    """Which layers to keep, one of each kind first; None without a flat stack of layers.

    Kinds are told by the lists that have one word or truth value per layer: `layer_types`.
    """
    depth = next((config[name] for name in _DEPTH_NAMES if _is_count(config.get(name))), None)
    if depth is None or depth <= LAYERS or "depths" in config:
        return None
    lists = [v for v in config.values() if isinstance(v, list | tuple) and len(v) == depth]
    kinds = [v for v in lists if all(isinstance(item, str | bool) for item in v)]
    chosen: dict[tuple[Any, ...], int] = {}
    for index in range(depth):
        chosen.setdefault(tuple(kind[index] for kind in kinds), index)
    kept = sorted(chosen.values())[:KINDS_OF_LAYERS]
    wanted = max([LAYERS, *(len(config.get(name) or ()) for name in _OUTPUTS)])
    others = [index for index in range(depth) if index not in kept]
    return _Stack(depth, tuple(sorted(kept + others[: max(0, wanted - len(kept))])))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fit_picture(small: dict[str, Any]) -> None:
    """A text with a token for each patch of a large picture is mostly picture: a smaller one."""
    vision = small.get("vision_config")
    if not isinstance(vision, dict) or small.get("image_grid_pinpoints"):
        return
    side, patch = vision.get("image_size"), vision.get("patch_size")
    if not (isinstance(side, int) and isinstance(patch, int)) or side <= 16 * patch:
        return
    if small.get("image_seq_length") == (side // patch) ** 2:
        vision["image_size"], small["image_seq_length"] = PATCHES * patch, PATCHES**2


def _fit_outputs(small: dict[str, Any], depth: int) -> None:
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


def _heads_fit(node: Mapping[str, Any]) -> bool:
    heads = _first(node, ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads"))
    width = _first(node, ("hidden_size", "n_embd", "d_model", "embed_dim"))
    if heads is None or width is None:
        return True
    if any(_EXPERTS.search(key) for key in node) and _ragged(node):
        return False
    per_head = node.get("head_dim") or node.get("d_kv")
    if per_head is None:
        if width % heads:
            return False
        per_head = width // heads
    rope = node.get("rope_parameters")
    share = rope.get("partial_rotary_factor") if isinstance(rope, Mapping) else None
    rotated = int(per_head * (share or 1))
    return bool(per_head >= 4 and rotated >= 2 and rotated % 2 == 0)


def _ragged(node: Mapping[str, Any]) -> bool:
    """The grouped products of experts want rows of whole 16 bytes."""
    widths = [_first(node, (name,)) for name in ("hidden_size", "intermediate_size")]
    return any(width % 4 for width in widths if width is not None)


def _first(node: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((node[name] for name in names if _is_count(node.get(name))), None)


def _vocabulary(config: Mapping[str, Any]) -> int | None:
    """The smallest vocabulary of the tree that special tokens can be in."""
    sizes = [_first(node, ("vocab_size",)) or 0 for node in nodes(config)]
    return min((size for size in sizes if size > 4), default=None)


def _new_ids(config: Mapping[str, Any], limit: int) -> dict[int, int]:
    """Where each token id beyond the vocabulary goes: to its end, in the same order."""
    ids: set[int] = set()
    for node in nodes(config):
        for key, value in node.items():
            if _TOKEN.search(key):
                ids.update(_numbers(value))
    beyond = sorted((each for each in ids if each >= limit), reverse=True)
    free = (each for each in range(limit - 1, 0, -1) if each not in ids)
    return dict(zip(beyond, free, strict=False))


def _numbers(value: Any) -> Iterator[int]:
    if _is_count(value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)


def _move_tokens(config: dict[str, Any], new_ids: Mapping[int, int]) -> None:
    for key, value in config.items():
        if isinstance(value, dict) and "model_type" in value:
            _move_tokens(value, new_ids)
        elif _TOKEN.search(key):
            config[key] = _moved(value, new_ids)


def _moved(value: Any, new_ids: Mapping[int, int]) -> Any:
    if isinstance(value, list | tuple):
        return [_moved(item, new_ids) for item in value]
    return new_ids.get(value, value) if _is_count(value) else value
