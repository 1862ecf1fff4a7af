"""What the configuration promises of the outputs: hidden states and attentions per layer."""

from typing import Any

import torch

from rpgen.checks.elsewhere import torch_must_compute
from rpgen.checks.outputs import assert_dtype, assert_finite, assert_named_fields
from rpgen.checks.running import Inputs, dtype_of, run
from rpgen.checks.variants import eager_attention

_STATES = ("hidden_states", "encoder_hidden_states", "decoder_hidden_states")
_ATTENTIONS = ("attentions", "encoder_attentions", "decoder_attentions", "cross_attentions")


def assert_promised_outputs(model: Any, inputs: Inputs) -> None:
    """Asked for hidden states, the model returns one a layer and one before; all of one shape.

    Attention is computed openly (eager), so that the weights of each layer are there too; each
    row of them is a distribution: not negative, with the sum 1.
    """
    torch_must_compute(model, "hidden states on request are")
    with eager_attention(model):
        outputs = run(model, inputs, output_hidden_states=True, output_attentions=True)
    assert_named_fields(outputs)
    assert_dtype(outputs, dtype_of(model))
    states = [name for name in _STATES if outputs.get(name) is not None]
    if not states:
        raise AssertionError("hidden states were asked for, and there are none")
    for name in states:
        _assert_states(outputs[name], name, _layers(model.config, name))
    _assert_attentions(model, outputs)


def _assert_states(states: Any, name: str, layers: int | None) -> None:
    if layers is not None and len(states) != layers + 1:
        raise AssertionError(
            f"{name}: {len(states)} tensors for {layers} layers; there is one before the first"
            " layer and one after each"
        )
    for place, tensor in enumerate(states):
        if layers is not None and tensor.shape != states[0].shape:
            raise AssertionError(
                f"{name}[{place}] has shape {tuple(tensor.shape)}, the first"
                f" {tuple(states[0].shape)}"
            )
    assert_finite({name: states})


def _assert_attentions(model: Any, outputs: Any) -> None:
    for name in _ATTENTIONS:
        weights = outputs.get(name)
        layers = _layers(model.config, name)
        crossing = name != "cross_attentions" or model.config.is_encoder_decoder
        if weights is None or layers is None or not crossing:
            continue
        if len(weights) != layers:
            raise AssertionError(f"{name}: {len(weights)} tensors for {layers} layers")
        for place, tensor in enumerate(weights):
            _assert_distribution(tensor, f"{name}[{place}]")


def _assert_distribution(weights: torch.Tensor, what: str) -> None:
    """A row that may look nowhere (all masked) sums to 0."""
    sums = weights.double().sum(-1)
    slack = 16 * torch.finfo(weights.dtype).eps
    off = ((sums - 1).abs() > slack) & (sums.abs() > slack)
    if bool(off.any()) or bool((weights < 0).any()):
        worst = float((sums - 1).abs().max())
        raise AssertionError(f"{what} is no distribution: sums are off by up to {worst:.3g}")


def _layers(config: Any, field: str) -> int | None:
    """The number of layers that a field goes through; None for models built in stages."""
    own: tuple[str, ...] = ()
    if field.startswith(("decoder", "cross")):
        own = ("decoder_layers", "num_decoder_layers")
    elif field.startswith("encoder"):
        own = ("encoder_layers",)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    for name in (*own, "num_hidden_layers"):
        value = getattr(text, name, None)
        if isinstance(value, int):
            return None if hasattr(config, "depths") else value
    return None
