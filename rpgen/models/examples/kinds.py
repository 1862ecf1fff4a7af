"""Which kinds of input an argument of `forward` carries, and the arguments of one call."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

TEXT = "text"
CARRIERS: Mapping[str, tuple[str, ...]] = {
    "image": (
        "pixel_values", "image_pixel_values", "flattened_patches", "image_patches", "visual_feats",
        "visual_embeds",
    ),
    "video": ("pixel_values_videos",),
    "audio": (
        "input_features", "input_values", "audio_input_features", "audio_values",
        "audio_input_ids", "user_audio_codes", "audio_codes", "audio_prompt_latents",
        "input_audio_embeds", "waveform",
    ),
    "protein": ("protein_input_ids",),
}  # fmt: skip
"""Each kind beside text with its arguments, the likelier ones first: a call holds one of them."""

KINDS = (TEXT, *CARRIERS)

STATES = ("query_embeds", "encoder_hidden_states")
"""What a text and a picture have become, in a part between the two that takes only that."""

_COMPANIONS = {
    "pixel_values": (
        "image_grid_thw",
        "images_per_sample",
        "image_token_pooling",
        "image_grids",
        "spatial_shapes",
        "image_position_ids",
        "pixel_position_ids",
        "target_sizes",
        "aspect_ratio_ids",
        "aspect_ratio_mask",
        "cross_attention_mask",
        "image_merge_sizes",
    ),
    "flattened_patches": ("image_embeds_position_mask",),
    "pixel_values_videos": (
        "video_grid_thw",
        "video_token_pooling",
        "video_grids",
        "video_position_ids",
        "num_frames_per_video",
        "target_sizes_videos",
        "video_merge_sizes",
    ),
    "image_pixel_values": ("image_sizes", "image_attention_mask"),
    "audio_input_features": ("audio_embed_sizes",),
    "input_features": (
        "input_features_mask",
        "feature_attention_mask",
        "chunk_sample_lengths",
    ),
    "input_values": ("input_values_cutoffs",),
    "protein_input_ids": ("protein_attention_mask",),
}  # fmt: skip


def is_text(name: str) -> bool:
    return name.endswith("input_ids") and not any(name in names for names in CARRIERS.values())


def kind_of(name: str) -> str | None:
    """The kind that an argument carries; None for what only describes one."""
    if is_text(name):
        return TEXT
    return next((kind for kind, names in CARRIERS.items() if name in names), None)


def kinds_of(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds that these arguments hold together, text first."""
    given = set(names)
    found = {kind_of(name) for name in given}
    if given >= set(STATES):
        found |= {TEXT, "image"}
    return tuple(kind for kind in KINDS if kind in found)


def spoken_of(words: str) -> str | None:
    """The kind that words of a message or of code speak of most."""
    found = {kind: len(re.findall(pattern, words, re.I)) for kind, pattern in _WORDS.items()}
    best = max(found, key=lambda kind: found[kind])
    return best if found[best] else None


_WORDS = {
    "image": "image|img|vision|pixel(?!_values_videos)",
    "video": "video",
    "audio": "audio|sound|speech|mel",
}


def carriers(names: Iterable[str]) -> dict[str, str]:
    """Of these arguments the likeliest of each kind beside text."""
    given = set(names)
    found = {kind: [n for n in known if n in given][:1] for kind, known in CARRIERS.items()}
    return {kind: first[0] for kind, first in found.items() if first}


def companions(carrier: str) -> tuple[str, ...]:
    """Arguments that describe what another carries."""
    return _COMPANIONS.get(carrier, ())


def together(kinds: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """All of these kinds, then all but one, and so on down to each alone."""
    every = tuple(kinds)
    for count in range(len(every), 0, -1):
        yield from combinations(every, count)
