"""From the figures of a configuration to those of a tiny model of the same structure.

Works on the plain dict that `config.to_dict()` gives, with its nested configurations. Every
width in the whole tree is divided by one factor, so that what had to be equal or a multiple
stays so; the number of heads is kept (large models give up heads too, in proportion); one
layer of each kind is kept; the vocabulary is cut and every token id moves along with it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rpgen.models import shrink_names as names
from rpgen.models.shrink_fit import (
    first_count,
    fit_feature_layers,
    fit_heads,
    fit_outputs,
    fit_sections,
    fit_states,
    fit_upsampling,
    is_count,
    is_table,
    nodes,
)
from rpgen.models.shrink_pictures import fit_pictures
from rpgen.models.shrink_tokens import fit_offsets, with_tokens_moved
from rpgen.models.timm_parts import fit_wrapped, is_wrapped, tiny_part

VOCABULARY = 1024
LAYERS = 2
KINDS_OF_LAYERS = 4
EXPERTS = 4
POSITIONS = 2048
SPEECH_POSITIONS = 100  # two seconds of sound in models of Whisper's kind
SPECTROGRAM = 128  # frames, in models that take one spectrogram of fixed length
IMAGE = 256
FRAMES = 8
FEATURE_MAPS = 4  # what their sides are divided by where an image of 1024 becomes one of 256
QUERIES = 20  # of a detector, so that a small picture has enough places for them
KEYPOINTS = 32  # of a picture, each of which is compared with all of another
ATTENTION_WINDOW = 32
TEXT = 12  # tokens, in models that fill their results up to the longest text
SERIES = 512  # of values of the past: a running mean takes a rounding for each stretch of them
CHUNK = 32  # of a text, in models with states: what is shorter is filled up to one
LARGEST_PATCH = 128
FEWER_PIXELS = 8
CODES = 64  # of a picture's alphabet
SPREAD = 0.02  # of weights, where a type's own is next to nothing: nobody draws from it
LEAST_SPREAD = 0.001
NORM_GROUPS = 32  # of channels, in models that paint pictures


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: what widths, numbers of heads and inner widths are divided by,
    how many layers stay at least, what the sides of pictures are multiplied by (0: they are
    made small where a text is read with them), and what a large vocabulary is cut to."""

    widths: int
    heads: int = 1
    inner: int = 1
    layers: int = LAYERS
    image: int = 0
    vocabulary: int = VOCABULARY


@dataclass(frozen=True)
class _Stack:
    """The layers of one configuration: how many there are, and which ones stay."""

    depth: int
    kept: tuple[int, ...]


LADDER = (
    Rung(8), Rung(16, inner=4), Rung(16), Rung(32, heads=4, inner=2), Rung(64, heads=8),
    Rung(32, inner=2), Rung(64), Rung(10, inner=4), Rung(20, heads=2, inner=2),
    Rung(40, heads=4), Rung(4), Rung(2), Rung(1),
    Rung(32, heads=8), Rung(64, heads=16), Rung(8, layers=6), Rung(16, layers=99),
    Rung(8, image=1), Rung(8, image=2), Rung(8, image=4),
)  # fmt: skip

_AT_LEAST = {"base_channels": NORM_GROUPS, "neck_out_channels": 64}
"""Widths that are divided once more within the model."""

_OUTPUTS = ("out_indices", "backbone_out_indices")

_PATTERN = "block_types"
"""The kinds of layers that come again and again, in their order: one round of them stays."""

_TINY_BACKBONE: dict[str, Any] = {
    "model_type": "resnet",
    "embedding_size": 16,
    "hidden_sizes": [16, 24, 32, 48],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}


def shrunk(config: Mapping[str, Any], rung: Rung) -> dict[str, Any]:
    """The same tree with small figures. The result is new; `config` is left alone."""
    if any("width_coefficient" in node for node in nodes(config)):
        rung = Rung(int(names.MULTIPLIER))  # the channel lists are multiplied by it
    small = _shrink(config, rung)
    if not rung.image:
        fit_pictures(small)
    fit_feature_layers(small)
    fit_offsets(config, small)
    return with_tokens_moved(small)


def _shrink(config: Mapping[str, Any], rung: Rung) -> dict[str, Any]:
    stack = _stack(config, rung)
    small: dict[str, Any] = {}
    if any(is_table(value) for value in config.values()):
        rung = replace(rung, widths=1)  # the widths of its stages stand in the table
    for key, value in config.items():
        if key == "num_layers_per_stack":
            continue  # inferred from the number of all layers
        if key == "model_args" and isinstance(value, Mapping):
            small[key] = _shrink(value, rung)
        elif isinstance(value, Mapping):
            small[key] = _shrink_mapping(value, rung, stack)
        elif isinstance(value, list | tuple):
            small[key] = _shrink_list(key, list(value), rung, config)
        else:
            small[key] = _shrink_figure(key, value, rung, config)
    if stack is not None:
        fit_outputs(small, len(stack.kept))
    fit_heads(small)
    fit_states(small)
    fit_sections(small)
    fit_upsampling(small)
    _fit_channels(small)
    fit_wrapped(small)
    if "image_embedding_size" in small and "patch_size" in small:
        small["image_embedding_size"] = small["image_size"] // small["patch_size"]
    return small


def _fit_channels(small: dict[str, Any]) -> None:
    """What follows a backbone that was replaced takes as many channels as it gives out."""
    backbone = small.get("backbone_config")
    if not isinstance(backbone, dict) or "encoder_in_channels" not in small:
        return
    if _TINY_BACKBONE.items() <= backbone.items():
        widths = _TINY_BACKBONE["hidden_sizes"]
        small["encoder_in_channels"] = [widths[index - 1] for index in backbone["out_indices"]]


def _shrink_mapping(value: Mapping[str, Any], rung: Rung, stack: _Stack | None) -> dict[str, Any]:
    if value.get("model_type") == "timm_backbone":  # needs a package, and its name fixes its size
        outputs = value.get("out_indices") or [4]
        return {**_TINY_BACKBONE, "out_indices": [index for index in outputs if index <= 4]}
    if is_wrapped(value):
        return tiny_part(_shrink(value, rung))
    if "model_type" in value:
        return _shrink(value, rung)
    if stack is not None and value and all(_is_layer(*each) for each in value.items()):
        return {  # figures of single layers, by number
            str(new): _shrink(value[key], rung)
            for new, old in enumerate(stack.kept)
            for key in value
            if int(key) == old
        }
    return dict(value)


def _is_layer(key: Any, value: Any) -> bool:
    return str(key).isdigit() and isinstance(value, Mapping)


def _shrink_figure(key: str, value: Any, rung: Rung, config: Mapping[str, Any]) -> Any:
    if key in names.MULTIPLIERS and isinstance(value, float):
        return value / names.MULTIPLIER
    if key in ("use_timm_backbone", "use_pretrained_backbone"):
        return False
    if key == "apply_layernorm_after_vision_backbone":
        return False  # it wants channels last, as timm's have them
    if key == "initializer_range" and isinstance(value, float) and 0 < value < LEAST_SPREAD:
        return SPREAD
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if "vocab" in key:
        return rung.vocabulary if value > 4 * rung.vocabulary else value
    if names.LAYERS.search(key) and not names.NOT_LAYERS.search(key) and "depths" not in config:
        stack = _stack(config, rung)
        return min(value, len(stack.kept) if stack else rung.layers)
    return _shrink_count(key, value, rung, config)


def _shrink_count(key: str, value: int, rung: Rung, config: Mapping[str, Any]) -> int:
    if names.EXPERTS.search(key):
        return min(value, EXPERTS)
    if names.CHOSEN_EXPERTS.search(key):
        return min(value, 2)
    if names.ONE_GROUP.search(key):
        return min(value, 1)
    if key == "patch_size" and value > LARGEST_PATCH:
        return value // FEWER_PIXELS
    if key in ("num_embeddings", "codebook_size") and value > VOCABULARY * FEWER_PIXELS // 2:
        return CODES
    if key in _AT_LEAST:
        return max(min(value, _AT_LEAST[key]), value // rung.widths)
    if key == "num_kv_shared_layers":
        return 0
    if key == "max_position_embeddings":
        return min(value, POSITIONS)
    if key == "max_source_positions" and value >= 1000:
        return SPEECH_POSITIONS
    if key in ("num_frames", "frames_per_clip"):
        return min(value, FRAMES)
    if key in ("num_queries", "latent_query_num"):
        return min(value, QUERIES)
    if key == "max_keypoints" and value < 0:  # all that there are
        return KEYPOINTS
    if key == "attention_window":
        return min(value, ATTENTION_WINDOW)
    if key in ("chunk_size", "mamba_chunk_size") or (
        key == "block_size" and "num_global_tokens" in config
    ):
        return min(value, CHUNK)
    if key == "context_length" and "horizon_length" in config:
        return min(value, SERIES)
    if key == "max_text_len":
        return min(value, TEXT)
    if key == "codebook_vocab_size" and value > CODES and "vocab_size" in config:
        return CODES + 1
    if key == "max_length" and "frequency_stride" in config:
        return min(value, SPECTROGRAM)
    if key in ("image_size", "img_size") and rung.image > 1:
        return value * rung.image
    if key == "image_size" and value > 2 * IMAGE:
        patches = (first_count(node, ("patch_size",)) for node in nodes(config))
        return _image_size(next(filter(None, patches), None))
    if key == "image_size" and value > IMAGE and "window_size" in config:
        return value // 2  # windows slide over pictures of any size
    if names.HEADS.search(key):
        few = 1 if "key_value" in key or key.endswith("kv") else value
        return value // rung.heads if value % rung.heads == 0 else few
    return _width(key, value, rung)


def _image_size(patch: Any) -> int:
    return IMAGE // patch * patch if isinstance(patch, int) and patch <= IMAGE else IMAGE


def _width(key: str, value: int, rung: Rung) -> int:
    if names.HEAD_DIM.search(key):
        return _divided(value, max(1, rung.widths // rung.heads))
    if not names.WIDTH.search(key) or names.NOT_WIDTH.search(key):
        return value
    return _divided(value, rung.widths * (rung.inner if names.INNER.search(key) else 1))


def _divided(value: int, factor: int) -> int:
    """Divided where that leaves something; else to the multiple of 8 below, at least 8."""
    if value <= 16 or factor == 1:
        return value
    if value % factor == 0 and value // factor >= 2:
        return value // factor
    return max(8, value // factor // 8 * 8)


def _shrink_list(key: str, value: list[Any], rung: Rung, config: Mapping[str, Any]) -> list[Any]:
    stack = _stack(config, rung)
    if stack is not None and len(value) == stack.depth:
        value = [value[index] for index in stack.kept]
    large = key in ("image_size", "img_size") and all(is_count(item) for item in value)
    if large and max(value, default=0) > 2 * IMAGE:
        patch = first_count(config, ("patch_size",)) or 1
        return [max(1, side // FEATURE_MAPS // patch) * patch for side in value]
    if re.search("feat(ure)?_sizes$", key):
        return _smaller_maps(value)
    if not value or not all(type(item) is int for item in value):
        return [_shrink(v, rung) if isinstance(v, Mapping) else v for v in value]
    if stack is not None and names.LAYER_NUMBERS.search(key) and len(value) != len(stack.kept):
        last = len(stack.kept) - 1
        return sorted({min(item, last) for item in value}) if max(value) > last else value
    if key == "attention_window":
        return [min(item, ATTENTION_WINDOW) for item in value]
    if names.STAGES.search(key):
        return [min(item, 1) for item in value]
    wide = key == "out_features" or (names.WIDTH.search(key) and not names.NOT_WIDTH.search(key))
    if wide and "width_coefficient" not in config:
        return [_divided(item, rung.widths) for item in value]
    return value


def _smaller_maps(sizes: list[Any]) -> list[Any]:
    return [
        _smaller_maps(list(each)) if isinstance(each, list | tuple) else each // FEATURE_MAPS
        for each in sizes
    ]


def _stack(config: Mapping[str, Any], rung: Rung) -> _Stack | None:
    """Which layers to keep, one of each kind first; None without a flat stack of layers.

    Kinds are told by the lists that have one word or truth value per layer: `layer_types`.
    """
    depth = next((config[name] for name in names.DEPTH_NAMES if is_count(config.get(name))), None)
    if depth is None or depth <= rung.layers or "depths" in config:
        return None
    lists = [v for v in config.values() if isinstance(v, list | tuple) and len(v) == depth]
    kinds = [v for v in lists if all(isinstance(item, str | bool) for item in v)]
    chosen: dict[tuple[Any, ...], int] = {}
    for index in range(depth):
        chosen.setdefault(tuple(kind[index] for kind in kinds), index)
    kept = sorted(chosen.values())[:KINDS_OF_LAYERS]
    lengths = [len(config.get(name) or ()) for name in (*_OUTPUTS, _PATTERN)]
    wanted = max(rung.layers, *lengths)
    others = [index for index in range(depth) if index not in kept]
    return _Stack(depth, tuple(sorted(kept + others[: max(0, wanted - len(kept))])))
