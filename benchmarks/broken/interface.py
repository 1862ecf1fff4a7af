"""Wrong form: shapes, dtypes, fields, gradients, and what happens to the input."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.broken.subject import (
    DoesNotApplyError,
    Subject,
    change_input,
    change_output,
)


def extra_dimension(subject: Subject) -> None:
    change_output(subject.model, lambda y: y.unsqueeze(0))


def transposed(subject: Subject) -> None:
    change_output(subject.model, lambda y: y.transpose(0, -1))


def one_value_short(subject: Subject) -> None:
    change_output(subject.model, lambda y: y[..., :-1])


def in_float64(subject: Subject) -> None:
    change_output(subject.model, lambda y: y.double())


def detached(subject: Subject) -> None:
    change_output(subject.layers[0], lambda y: y.detach())


def fields_lost(subject: Subject) -> None:
    _change_outputs(subject, lambda outputs: outputs.to_tuple())


def states_lost(subject: Subject) -> None:
    """Asked for hidden states, it returns none."""
    _needs_states(subject)
    _change_outputs(subject, lambda outputs: _without_states(outputs, lambda states: None))


def states_short(subject: Subject) -> None:
    _needs_states(subject)
    _change_outputs(subject, lambda outputs: _without_states(outputs, lambda s: s[:-1]))


def input_changed_in_place(subject: Subject) -> None:
    def broken(given: dict[str, Any]) -> dict[str, Any]:
        for name in ("pixel_values", "input_features", "input_values", "input_ids"):
            value = given.get(name)
            if value is not None and value.numel() > 1:
                value.view(-1)[-1] = value.view(-1)[0]
                break
        return given

    change_input(subject.model, broken)


def buffer_used_again(subject: Subject) -> None:
    """Results lie in one buffer: the next run overwrites the last one's."""
    buffers: dict[Any, Any] = {}

    def broken(y: Any) -> Any:
        key = (tuple(y.shape), y.dtype, torch.is_inference_mode_enabled())
        kept = buffers.setdefault(key, torch.empty_like(y))
        if torch.is_grad_enabled() and y.requires_grad:
            return y
        return kept.copy_(y)

    change_output(subject.model, broken)


def _change_outputs(subject: Subject, change: Callable[[Any], Any]) -> None:
    original = subject.model.forward

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        return change(original(*args, **kwargs))

    subject.model.forward = broken


def _without_states(outputs: Any, change: Callable[[Any], Any]) -> Any:
    for name in ("hidden_states", "encoder_hidden_states", "decoder_hidden_states"):
        if outputs.get(name) is not None:
            outputs[name] = change(outputs[name])
    return outputs


def _needs_states(subject: Subject) -> None:
    if subject.name == "clip":
        raise DoesNotApplyError("its output has no hidden states")


FAULTS = {
    "an extra dimension": extra_dimension,
    "the output transposed": transposed,
    "one value short": one_value_short,
    "the output in float64": in_float64,
    "a layer detached from the gradient": detached,
    "a tuple without named fields": fields_lost,
    "hidden states missing": states_lost,
    "a hidden state short": states_short,
    "the input changed in place": input_changed_in_place,
    "one buffer for all results": buffer_used_again,
}
