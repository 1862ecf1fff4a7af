"""The same model computed another way: other attention, half precision."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from rpgen.checks.compare import assert_same
from rpgen.checks.elsewhere import torch_must_compute
from rpgen.checks.level import require_room
from rpgen.checks.outputs import assert_finite
from rpgen.checks.running import Inputs, device_of, dtype_of, on, run

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def assert_attention_implementations_agree(model: Any, inputs: Inputs) -> None:
    """Attention as the model was loaded (torch's fused one, as a rule) agrees with eager."""
    torch_must_compute(model, "attention implementations are")
    loaded = run(model, inputs)
    with eager_attention(model):
        plain = run(model, inputs)
    assert_same(loaded, plain, f"{model.config._attn_implementation} against eager", model)


def has_several_attentions(model: Any) -> bool:
    """Is attention in any part of the model computed otherwise than openly, step by step?"""
    configs = [each.config for each in model.modules() if hasattr(each, "config")]
    return any(config._attn_implementation_internal not in (None, "eager") for config in configs)


@contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """Attention computed openly, step by step, in every part of the model for a while."""
    configs = {id(m.config): m.config for m in model.modules() if hasattr(m, "config")}
    before = {key: config._attn_implementation_internal for key, config in configs.items()}
    try:
        for config in configs.values():
            config._attn_implementation_internal = "eager"
        yield
    finally:
        for key, config in configs.items():
            config._attn_implementation_internal = before[key]


def assert_half_precision_is_close(
    model: Any, inputs: Inputs, precisions: Sequence[str] = ("bf16", "fp16")
) -> None:
    """In each half type the outputs are finite, and as near as its rounding allows."""
    torch_must_compute(model, "half precision by casting is")
    require_room(model, 0.5)
    if dtype_of(model) in DTYPES.values():
        assert_finite(run(model, inputs))
        return
    expected = run(model, inputs)
    for name in precisions:
        dtype = DTYPES[name]
        with in_dtype(model, dtype):
            outputs = run(model, on(inputs, device_of(model), dtype))
        try:
            assert_finite(outputs)
        except AssertionError as error:
            raise AssertionError(f"in {name}: {error}") from None
        assert_same(outputs, expected, f"in {name}", model, dtype=dtype)


@contextmanager
def in_dtype(model: torch.nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """The model's weights in another dtype for a while; the originals come back untouched.

    Buffers that are not saved (tables of positions) stay as they are, as they do when a model
    is loaded in a half type; one that a run puts in the place of another goes with it.
    """
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    buffers = [(each._buffers, dict(each._buffers)) for each in model.modules()]
    try:
        for tensor in _castable(model):
            kept.append((tensor, tensor.data))
            tensor.data = tensor.data.to(dtype)
        yield
    finally:
        for tensor, data in kept:
            tensor.data = data
        for now, before in buffers:
            now.update(before)


def _castable(model: torch.nn.Module) -> list[torch.Tensor]:
    found = [tensor for tensor in model.parameters() if tensor.is_floating_point()]
    for module in model.modules():
        passing = module._non_persistent_buffers_set
        found += [
            tensor
            for name, tensor in module.named_buffers(recurse=False)
            if name not in passing and tensor.is_floating_point()
        ]
    return found
