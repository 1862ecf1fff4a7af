"""Other settings for a tiny model that runs and yet fails a check: where its weights make it so.

Random weights of the spread that suits wide layers let the signal of narrow ones fade away, and
a model that only tells what it is sure of tells nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_SPREAD = "initializer_range"
_USUAL = 0.02  # where a configuration does not say it
_LARGER = (10.0, 4.0)
_WIDEST = 0.3


def remedies(config: Any, problem: str) -> Iterator[dict[str, Any]]:
    """Values by path to try one after another for what `problem` says."""
    if not problem.startswith(("finite:", "matters:")):
        return
    tree = dict(parts(config))
    sure = _open_to_all(tree) if problem.startswith("matters:") else {}
    wider = [_wider(tree, factor) for factor in _LARGER]
    yield from filter(None, [sure, *wider])
    if sure:
        yield {**sure, **wider[0]}


def _wider(tree: Mapping[str, Mapping[str, Any]], factor: float) -> dict[str, Any]:
    spreads = {_join(path, _SPREAD): node.get(_SPREAD, _USUAL) for path, node in tree.items()}
    return {
        path: min(factor * max(spread, _USUAL), _WIDEST)
        for path, spread in spreads.items()
        if isinstance(spread, float) and 0 < spread < _WIDEST
    }


def _open_to_all(tree: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        _join(path, name): 0.0
        for path, node in tree.items()
        for name, value in node.items()
        if name.endswith("threshold") and isinstance(value, float) and value > 0
    }


def parts(config: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The figures of the configuration and of each configuration within it, by path."""
    from transformers import PreTrainedConfig

    yield path, vars(config)
    for name, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from parts(value, _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
