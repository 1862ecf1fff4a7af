"""What the configuration promises of the outputs: hidden states and attentions per layer."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from rpgen.checks.elsewhere import torch_must_compute
from rpgen.checks.outputs import assert_dtype, assert_finite, assert_named_fields
from rpgen.checks.promised_layers import attending_layers, has_sinks, layers_of
from rpgen.checks.running import Inputs, dtype_of, run
from rpgen.checks.tensors import named_tensors
from rpgen.checks.variants import eager_attention

_STATES = "hidden_states"
_ATTENTIONS = "attentions"
_MAP_DIMENSIONS = 3


def assert_promised_outputs(model: Any, inputs: Inputs) -> None:
    """Asked for hidden states, the model returns one a layer and one before; all of one shape.

    A model of parts may return them for each part. Attention is computed openly (eager), so
    that the weights of each layer that attends are there too; each row of them is a
    distribution: not negative, with the sum 1 (less where a sink takes its share).
    """
    torch_must_compute(model, "hidden states on request are")
    with eager_attention(model):
        outputs = run(model, inputs, output_hidden_states=True, output_attentions=True)
    assert_named_fields(outputs)
    assert_dtype(outputs, dtype_of(model))
    states = {name: given for name, given in _given(outputs, _STATES) if not _absent(given)}
    if not states:
        declared = sorted(set(_declared(outputs)))
        raise AssertionError(
            f"hidden states were asked for, and {', '.join(declared)} stay empty"
            if declared
            else "hidden states were asked for, and no output is declared for them"
        )
    for name, tensors in states.items():
        _assert_states(tensors, name, layers_of(model.config, name), _embedded_width(model))
    for name, weights in _given(outputs, _ATTENTIONS):
        if _has_layers(model.config, name):
            _assert_attentions(weights, name, attending_layers(model.config, name), model)


def _given(outputs: Mapping[str, Any], ending: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """The sequences of tensors of that name, those of the parts by their path."""
    for name, value in outputs.items():
        if isinstance(value, Mapping):
            yield from _given(value, ending, f"{path}{name}.")
        elif name.endswith(ending) and isinstance(value, (tuple, list)):
            yield f"{path}{name}", value


def _absent(states: Any) -> bool:
    """Of a second stream (entities beside words) that this call has no inputs for, there is
    None after each layer, and no state."""
    return bool(states) and all(state is None for state in states)


def _declared(outputs: Any, path: str = "") -> Iterator[str]:
    own = fields(outputs) if is_dataclass(outputs) else ()
    yield from (f"{path}{each.name}" for each in own if each.name.endswith(_STATES))
    for name, value in outputs.items():
        if isinstance(value, Mapping):
            yield from _declared(value, f"{path}{name}.")


def _has_layers(config: Any, name: str) -> bool:
    return not name.endswith("cross_attentions") or bool(config.is_encoder_decoder)


def _embedded_width(model: Any) -> int | None:
    """The width of an embedded token, to which some models project what their layers gave."""
    try:
        return int(model.get_input_embeddings().weight.shape[-1])
    except (NotImplementedError, AttributeError):
        return None


def _assert_states(
    states: Any, name: str, layers: tuple[int, ...], embedded: int | None = None
) -> None:
    if not states:
        raise AssertionError(f"{name} were asked for, and stay empty")
    if layers and len(states) - 1 not in layers:
        raise AssertionError(
            f"{name}: {len(states)} tensors for {layers[0]} layers; there is one before the first"
            " layer and one after each"
        )
    shapes = [_shapes(each) for each in states]
    if isinstance(shapes[-1], tuple) and shapes[-1][-1:] == (embedded,):
        shapes[-1] = (*shapes[-1][:-1], shapes[0][-1])  # projected back, as the outputs need it
    for place, shape in enumerate(shapes):
        if layers and shape != shapes[0]:
            raise AssertionError(f"{name}[{place}] has shape {shape}, the first {shapes[0]}")
    assert_finite({name: states})


def _shapes(state: Any) -> Any:
    """A layer of two streams has a state for each."""
    found = [tuple(tensor.shape) for _, tensor in named_tensors(state)]
    return found[0] if len(found) == 1 else found


def _assert_attentions(weights: Any, name: str, layers: tuple[int, ...], model: Any) -> None:
    if layers and not weights:
        raise AssertionError(f"{name} were asked for, and stay empty")
    if layers and len(weights) not in layers:
        raise AssertionError(f"{name}: {len(weights)} tensors for {layers[0]} layers")
    if layers:
        for what, tensor in named_tensors(weights, name):
            _assert_distribution(tensor, what, has_sinks(model))


def _assert_distribution(weights: torch.Tensor, what: str, sinks: bool) -> None:
    """A row that may look nowhere (all masked) sums to 0."""
    if weights.dim() < _MAP_DIMENSIONS:
        shape = tuple(weights.shape)
        raise AssertionError(f"{what} has shape {shape}, which is no map of queries and keys")
    if bool((weights < 0).any()):
        least = float(weights.min())
        raise AssertionError(f"{what} is no distribution: it holds negative values ({least:.3g})")
    slack = 16 * torch.finfo(weights.dtype).eps
    sums = weights.double().sum(-1)
    if weights.dim() == _MAP_DIMENSIONS + 2 and bool((sums < 1 - slack).any()):
        sums = sums.sum(-1)  # deformable: (..., levels, points), which sum to 1 together
    most = float(sums.max())
    if most > 1 + slack:
        raise AssertionError(f"{what} is no distribution: rows sum to up to {most:.3g}")
    short = (sums < 1 - slack) & (sums > slack)
    if not sinks and bool(short.any()):
        least = float(sums[short].min())
        raise AssertionError(f"{what} is a share of a distribution: rows sum to {least:.3g} only")
