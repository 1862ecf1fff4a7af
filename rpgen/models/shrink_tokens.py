"""Token ids of a smaller vocabulary: those beyond its end move to it, in the same order."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rpgen.models.shrink_fit import first_count, is_count, nodes

_TOKEN = re.compile(
    r"token_(id|ids|index|idx)$|_tokens_ids?$|suppress_tokens$|forced_decoder_ids$|patch_id$"
)
_OFFSET = "vocab_offset"


def with_tokens_moved(config: dict[str, Any]) -> dict[str, Any]:
    """The same tree (changed in place), every id of it within its smallest vocabulary."""
    limit = _vocabulary(config)
    if limit is not None:
        _move_tokens(config, _new_ids(config, limit))
    return config


def fit_offsets(config: Mapping[str, Any], small: dict[str, Any]) -> None:
    """Parts whose ids follow those of a text within its vocabulary stand as far from the end of
    the smaller one (`small`, changed in place)."""
    _place(config, small, _end(config), _end(small))


def _place(config: Mapping[str, Any], small: dict[str, Any], end: int, small_end: int) -> None:
    for key, value in config.items():
        if isinstance(value, Mapping) and isinstance(small.get(key), dict):
            _place(value, small[key], end, small_end)
        elif key == _OFFSET and is_count(value) and value < end:
            small[key] = max(0, small_end - (end - value))


def _end(config: Mapping[str, Any]) -> int:
    return max((first_count(node, ("vocab_size",)) or 0 for node in nodes(config)), default=0)


def _vocabulary(config: Mapping[str, Any]) -> int | None:
    """The smallest vocabulary of the tree that special tokens can be in."""
    names = ("vocab_size", "text_vocab_size")
    sizes = [first_count(node, (name,)) or 0 for node in nodes(config) for name in names]
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
    if is_count(value):
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
    return new_ids.get(value, value) if is_count(value) else value
