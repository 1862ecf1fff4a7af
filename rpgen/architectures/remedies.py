"""Other recipes for a tiny model that runs and yet fails a check: where its weights or its
inputs make it so.

Random weights of the spread that suits wide layers let the signal of narrow ones fade away, as
does a batch norm that has seen no data; and a model that only tells what it is sure of tells
nothing. A mask of ones hides everything where
a one means padding; at the edge of a picture of many small patches a box may be infinite.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rpgen.models.awake import FAN_GAIN, NORM_DATA, NORM_GAIN, SPREAD, of_weights
from rpgen.models.examples.spec import Kind
from rpgen.models.recipe import Recipe

_USUAL = 0.02  # where a configuration does not say it
_LARGER = (10.0, 4.0)
_WIDEST = 0.3
_GAINS = (2.0, 4.0, 16.0)
_FAN_GAINS = (1.0, 1.5, 2.0)
_PICTURES = 4
_FADING = ("alive:", "fp16:", "bf16:")
"""What fails where a signal fades away, at the end or within, below what a half type holds."""

_OTHER_RUNGS = (0, 1, 3, 10)  # of the ladder: widths in other proportions, and larger ones


def remedies(recipe: Recipe, config: Any, problem: str) -> Iterator[Recipe]:
    """Recipes to try one after another for what `problem` says."""
    if problem.startswith("attention:"):
        yield from _on_other_rungs(recipe)
    if not problem.startswith(("finite:", "matters:", *_FADING)):
        return
    for more in (*_other_settings(config, problem), *_seen(recipe, problem)):
        yield replace(recipe, settings={**recipe.settings, **more})
    other = _smaller_pictures if problem.startswith("finite:") else _unmasked
    inputs = {name: other(name, dict(spec)) for name, spec in recipe.inputs.items()}
    if inputs != recipe.inputs:
        yield replace(recipe, inputs=inputs)
    yield from _on_other_rungs(recipe)
    if problem.startswith("alive:"):
        amplified = {**recipe.settings, FAN_GAIN: _FAN_GAINS[0]}
        yield from _on_other_rungs(replace(recipe, settings=amplified))


def weights_for(config: Any, problem: str) -> Iterator[dict[str, Any]]:
    """Other ways for the weights to begin, to try one after another for what `problem` says."""
    for settings in _other_settings(config, problem):
        if all(map(of_weights, settings)):
            yield settings


def _on_other_rungs(recipe: Recipe) -> Iterator[Recipe]:
    yield from (replace(recipe, rung=rung) for rung in _OTHER_RUNGS if rung != recipe.rung)


def _other_settings(config: Any, problem: str) -> Iterator[dict[str, Any]]:
    """Values by path."""
    tree = dict(parts(config))
    sure = _open_to_all(tree) if problem.startswith("matters:") else {}
    fading = problem.startswith(_FADING)
    if fading or problem.startswith("matters:"):
        yield from ({FAN_GAIN: gain} for gain in _FAN_GAINS)
        yield from ({FAN_GAIN: _FAN_GAINS[-1], NORM_GAIN: gain} for gain in _GAINS)
    if fading:
        yield from ({NORM_GAIN: gain} for gain in _GAINS)
    wider = [_wider(tree, factor) for factor in _LARGER]
    yield from filter(None, [sure, *wider])
    if fading:
        yield {NORM_GAIN: _GAINS[1], **wider[0]}
    if sure:
        yield {**sure, **wider[0]}
        yield from ({**sure, FAN_GAIN: gain} for gain in _FAN_GAINS)


def _seen(recipe: Recipe, problem: str) -> Iterator[dict[str, Any]]:
    """Batch norms that have seen something, in a model of pictures alone."""
    spec = recipe.inputs.get("pixel_values")
    if len(recipe.inputs) != 1 or spec is None or problem.startswith("finite:"):
        return
    seen = {NORM_GAIN: 1.0, NORM_DATA: [_PICTURES, *spec["shape"][1:]]}
    yield seen
    yield from ({FAN_GAIN: gain, **seen} for gain in _FAN_GAINS)


def _unmasked(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    if name.endswith("mask") and spec["kind"] == Kind.ONES and spec.get("dtype") == "bool":
        return {**spec, "kind": Kind.ZEROS.value}
    return spec


def _smaller_pictures(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    shape = spec["shape"]
    if name == "pixel_values" and len(shape) >= 4:
        return {**spec, "shape": [*shape[:-2], *(side // 2 for side in shape[-2:])]}
    return spec


def _wider(tree: Mapping[str, Mapping[str, Any]], factor: float) -> dict[str, Any]:
    spreads = {_join(path, SPREAD): node.get(SPREAD, _USUAL) for path, node in tree.items()}
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
