"""A loaded model: whole, healthy, ready to use, and where it should be."""

from collections.abc import Iterator
from typing import Any, cast

import torch

from rpgen.models.rounding import layers_of

_SHOWN = 5
_PIECE = 2**18
_SUMMED = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def assert_whole(model: torch.nn.Module) -> None:
    """Every weight was in the checkpoint, fits, and is a number; tied weights are one tensor.

    Reads the loading report that `Checkpoint.load_model` leaves on the model; models built
    from a configuration have none, and only their values are looked at.
    """
    report = getattr(model, "rpgen_loading_info", None) or {}
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = sorted(str(key) for key in report.get(kind) or ())
        if keys:
            raise AssertionError(f"the checkpoint has {kind.replace('_', ' ')}: {some(keys)}")
    broken = [
        f"{name} ({int((~torch.isfinite(tensor)).sum())} of {tensor.numel()} values)"
        for name, tensor in _tensors(model)
        if tensor.is_floating_point() and not all_finite(tensor) and not _open_bound(name, tensor)
    ]
    if broken:
        raise AssertionError(f"NaN or infinity in the weights: {some(broken)}")
    _assert_tied(model)


def all_finite(tensor: torch.Tensor) -> bool:
    """No NaN and no infinity: neither is lost in a sum, which is the quickest way to ask.

    A sum may also overflow on its own. Then each value is looked at, a piece at a time: at
    once, the answer would take as much memory as the weights.
    """
    values = tensor.detach()
    if values.dtype in _SUMMED and bool(values.sum(dtype=torch.float32).isfinite()):
        return True
    pieces = values.reshape(-1).split(_PIECE)
    return all(bool(torch.isfinite(piece).all()) for piece in pieces)


def _open_bound(name: str, tensor: torch.Tensor) -> bool:
    """A smallest or largest value that values are clamped to, and that is not set: infinite."""
    bound = tensor.numel() == 1 and name.endswith(("_min", "_max"))
    return bound and bool(torch.isinf(tensor).all())


def _assert_tied(model: torch.nn.Module) -> None:
    """The output embeddings are one tensor with what transformers promised to tie them to,
    which it does where class and configuration ask for it."""
    promised: Any = getattr(model, "all_tied_weights_keys", None)
    if not promised:
        return
    try:
        output = getattr(cast(Any, model).get_output_embeddings(), "weight", None)
    except NotImplementedError:  # models of several parts have no single table of words
        return
    named = dict(model.named_parameters(remove_duplicate=False))
    for name, source in promised.items():
        if named.get(name) is not output or source not in named:
            continue
        if named[source].data_ptr() != named[name].data_ptr():
            raise AssertionError(
                f"the configuration ties the output embeddings ({name}) to {source},"
                " but they are two tensors"
            )


def assert_ready(model: torch.nn.Module) -> None:
    """All of the model is on one device, and every part of it in evaluation mode.

    An activation computes the same in both modes, and some are one object for all models of a
    process, which another model may be training.
    """
    assert_on_device(model, next(model.parameters()).device)
    training = [
        name or "the model itself"
        for name, part in model.named_modules()
        if part.training and type(part).__module__ != "transformers.activations"
    ]
    if training:
        raise AssertionError(f"in training mode (dropout is on): {some(training)}")


def assert_on_device(model: torch.nn.Module, device: torch.device | str) -> None:
    """Every parameter and buffer is on `device`."""
    wanted = torch.device(device)
    elsewhere = [
        f"{name} is on {tensor.device}"
        for name, tensor in _tensors(model)
        if tensor.device.type != wanted.type
        or (wanted.index is not None and tensor.device.index != wanted.index)
    ]
    if elsewhere:
        raise AssertionError(f"not everything is on {wanted}: {some(elsewhere)}")


def depth_of(model: torch.nn.Module | None) -> int:
    """How many layers an error passes through: encoder and decoder layers together.

    1 where the configuration doesn't say (or there is no model).
    """
    return layers_of(getattr(model, "config", None))


def _tensors(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def some(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
