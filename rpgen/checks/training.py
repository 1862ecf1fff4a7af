"""One step of training: in training mode, with gradients, and the loss is lower afterwards."""

from typing import Any

import torch

from rpgen.checks.gradients import loss_of
from rpgen.checks.level import require_room
from rpgen.checks.model import all_finite, some
from rpgen.checks.running import SEED, Inputs, device_of, on
from rpgen.models.quiet import seeded

_STEPS = (1e-2, 1e-3, 1e-4, 1e-5)
"""Lengths of the step against the gradient: of ever smaller ones one must go down."""


def assert_a_training_step_helps(model: Any, checkpoint: Any, inputs: Inputs) -> None:
    """On a copy of the model: a step against the gradient lowers the loss it belongs to.

    The loss is the mean square of everything that the model puts out, which every model has.
    Dropout draws the same numbers before and after, so that the two losses can be compared.
    """
    require_room(model, 3.0, torch.device("cpu"))
    copy = checkpoint.load_model("cpu", "fp32").train()
    given = on(inputs, device_of(copy), torch.float32)
    trained = [p for p in copy.parameters() if p.requires_grad]
    with seeded(SEED), torch.enable_grad():
        loss = loss_of(copy(**given))
        found = torch.autograd.grad(loss, trained, allow_unused=True)
    before = float(loss.detach())
    pairs = [(p, g) for p, g in zip(trained, found, strict=True) if g is not None]
    broken = [str(tuple(p.shape)) for p, g in pairs if not all_finite(g)]
    if broken:
        raise AssertionError(f"NaN or infinity in the gradients of {some(broken)}")
    length = float(torch.stack([g.norm() for _, g in pairs]).norm()) if pairs else 0.0
    if length == 0.0:
        raise AssertionError("in training mode no gradient arrives anywhere")
    losses = [_after(copy, given, pairs, step / length) for step in _STEPS]
    if min(losses) >= before:
        shown = ", ".join(f"{loss:.6g}" for loss in losses)
        raise AssertionError(
            f"steps against the gradient don't lower the loss of {before:.6g}: {shown}"
        )


def _after(
    copy: Any, given: Inputs, pairs: list[tuple[torch.Tensor, torch.Tensor]], step: float
) -> float:
    """The loss after a step, which is taken back."""
    kept = [parameter.data for parameter, _ in pairs]
    for parameter, gradient in pairs:
        parameter.data = parameter.data - step * gradient
    try:
        with seeded(SEED), torch.enable_grad():
            return float(loss_of(copy(**given)).detach())
    finally:
        for (parameter, _), data in zip(pairs, kept, strict=True):
            parameter.data = data
