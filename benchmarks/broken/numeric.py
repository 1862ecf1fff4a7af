"""Wrong numbers: not a number, noise, overflow, the wrong precision."""

from typing import Any

import torch

from benchmarks.broken.subject import Subject, change_output, inner_weight


def nan_in_half_of_a_layer(subject: Subject) -> None:
    weight = inner_weight(subject)
    weight.data.view(-1)[::2] = float("nan")


def one_infinite_weight(subject: Subject) -> None:
    inner_weight(subject).data.view(-1)[3] = float("inf")


def nan_in_the_output(subject: Subject) -> None:
    change_output(subject.model, lambda y: _with(y, float("nan")))


def infinity_in_the_output(subject: Subject) -> None:
    change_output(subject.model, lambda y: _with(y, float("inf")))


def noise_on_the_weights(subject: Subject) -> None:
    weight = inner_weight(subject)
    weight.data += 0.01 * weight.data.std() * torch.randn(weight.shape)


def one_flipped_sign(subject: Subject) -> None:
    """A single bit of a single weight."""
    inner_weight(subject).data.view(-1)[5] *= -1


def noise_in_every_run(subject: Subject) -> None:
    change_output(subject.model, lambda y: y + 1e-3 * y.std() * torch.randn_like(y))


def overflow_in_half_precision(subject: Subject) -> None:
    """Right in float32; the intermediate value does not fit into float16."""
    change_output(subject.layers[0], lambda y: (y * 1e6) / 1e6)


def computed_in_bfloat16(subject: Subject) -> None:
    """A layer loses two thirds of its digits, and nobody has asked for it."""
    change_output(subject.layers[0], lambda y: y.to(torch.bfloat16).to(y.dtype))


def output_scaled(subject: Subject) -> None:
    change_output(subject.model, lambda y: y * 1.01)


def _with(y: Any, value: float) -> Any:
    y = y.clone()
    y.view(-1)[1] = value
    return y


FAULTS = {
    "NaN in half of a layer's weights": nan_in_half_of_a_layer,
    "one infinite weight": one_infinite_weight,
    "NaN in the output": nan_in_the_output,
    "infinity in the output": infinity_in_the_output,
    "1 % noise on a layer's weights": noise_on_the_weights,
    "the sign of one weight flipped": one_flipped_sign,
    "fresh noise in every run": noise_in_every_run,
    "overflow in half precision": overflow_in_half_precision,
    "a layer silently in bfloat16": computed_in_bfloat16,
    "the output scaled by 1.01": output_scaled,
}
