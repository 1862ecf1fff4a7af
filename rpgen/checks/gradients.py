"""Training would work: gradients arrive where they should, and are numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from rpgen.checks.elsewhere import torch_must_compute
from rpgen.checks.level import require_room
from rpgen.checks.model import all_finite, some
from rpgen.checks.remembered import forget_inference
from rpgen.checks.running import SEED, Inputs, device_of, on
from rpgen.checks.tensors import named_tensors
from rpgen.models.quiet import seeded


class NoGradientError(AssertionError):
    """`missed` are the layers, by name, that no gradient reaches."""

    def __init__(self, missed: Sequence[str]) -> None:
        super().__init__(f"no gradient reaches {some(list(missed))}")
        self.missed = tuple(missed)


def assert_gradients_arrive(model: Any, inputs: Inputs) -> None:
    """The outputs' gradients are finite, and reach the first layer of every stack of layers.

    Of every stack that the call goes through, that is; what the model itself runs without
    gradients (a frozen tokenizer of pictures) gets none. The gradients that parameters may hold
    already are not touched.
    """
    torch_must_compute(model, "gradients are")
    require_room(model, 1.5)
    wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not wanted:
        raise AssertionError("no parameter of the model asks for a gradient")
    forget_inference(model)
    first = dict(_first_layers(model))
    with seeded(SEED), torch.enable_grad():
        with _run_with_gradients(first) as ran:
            outputs = model(**on(inputs, device_of(model)))
        loss = loss_of(outputs)
        found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    gradients = dict(zip(wanted, found, strict=True))
    _assert_finite(gradients)
    missed = [
        name
        for name in first
        if name in ran
        and not _mostly([_arrived(g) for n, g in gradients.items() if n.startswith(f"{name}.")])
    ]
    if missed:
        raise NoGradientError(missed)


def loss_of(outputs: Any) -> torch.Tensor:
    """Every output that carries a gradient, each with the same weight whatever its size."""
    terms = [
        tensor.float().pow(2).mean()
        for _, tensor in named_tensors(outputs)
        if tensor.is_floating_point() and tensor.requires_grad
    ]
    if not terms:
        raise AssertionError("the outputs are detached: no gradient can flow through the model")
    return torch.stack(terms).sum()


def _assert_finite(gradients: dict[str, torch.Tensor | None]) -> None:
    broken = [n for n, g in gradients.items() if g is not None and not all_finite(g)]
    if broken:
        raise AssertionError(f"NaN or infinity in the gradients of {some(broken)}")


def _mostly(arrived: list[bool]) -> bool:
    """More than half: some parameters have none by their nature, or get it by another way."""
    return not arrived or sum(arrived) > len(arrived) / 2


def _arrived(gradient: torch.Tensor | None) -> bool:
    return gradient is not None and bool((gradient != 0).any())


def _first_layers(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """The first layer of each stack: a list of modules of one class. Experts are no stack."""
    for name, module in model.named_modules():
        if (
            isinstance(module, torch.nn.ModuleList)
            and len(module) > 1
            and len({type(each) for each in module}) == 1
            and "expert" not in name
        ):
            yield f"{name}.0", module[0]


@contextmanager
def _run_with_gradients(layers: Mapping[str, torch.nn.Module]) -> Iterator[set[str]]:
    """Those of the layers that run meanwhile and record gradients; a layer that itself holds a
    list of others counts by whichever of its parts runs."""
    ran: set[str] = set()

    def seen(name: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            if torch.is_grad_enabled():
                ran.add(name)

        return note

    hooks = [
        part.register_forward_pre_hook(seen(name))
        for name, layer in layers.items()
        for part in layer.modules()
    ]
    try:
        yield ran
    finally:
        for hook in hooks:
            hook.remove()
