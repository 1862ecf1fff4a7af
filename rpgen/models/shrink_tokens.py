"""Token ids of a smaller vocabulary: those beyond its end move to it, in the same order."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rpgen.models.shrink_fit import first_count, is_count, nodes

_TOKEN = re.compile(
    r"token_(id|ids|index|idx)$|_tokens_ids?$|suppress_tokens$|forced_decoder_ids$|patch_id$"
)


def with_tokens_moved(config: dict[str, Any]) -> dict[str, Any]:
    """The same tree (changed in place), every id of it within its smallest vocabulary."""
    limit = _vocabulary(config)
    if limit is not None:
        _move_tokens(config, _new_ids(config, limit))
    return config


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
