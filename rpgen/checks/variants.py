"""The same model computed another way: other attention, half precision."""

import copy
import unittest
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from rpgen.checks.compare import assert_same
from rpgen.checks.elsewhere import torch_must_compute
from rpgen.checks.level import require_room
from rpgen.checks.outputs import assert_finite
from rpgen.checks.remembered import forget_derived
from rpgen.checks.running import Inputs, device_of, dtype_of, on, run
from rpgen.models.quiet import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def assert_attention_implementations_agree(model: Any, inputs: Inputs) -> None:
    """Attention as the model was loaded (torch's fused one, as a rule) agrees with eager."""
    torch_must_compute(model, "attention implementations are")
    loaded = run(model, inputs)
    with eager_attention(model):
        plain = run(model, inputs)
    names = {each._attn_implementation or "none" for each in _configs(model)} - {"eager"}
    used = " and ".join(sorted(names)) or "eager"
    loaded, plain = _without_attentions(loaded), _without_attentions(plain)
    assert_same(loaded, plain, f"{used} against eager", model)


def has_several_attentions(model: Any) -> bool:
    """Is attention in any part of the model computed otherwise than openly, step by step?"""
    kinds = {config._attn_implementation_internal for config in _configs(model)}
    return bool(kinds - {None, "eager"})


@contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """Attention computed openly, step by step, in every part of the model for a while."""
    configs = {id(each): each for each in _configs(model)}
    before = {key: config._attn_implementation_internal for key, config in configs.items()}
    try:
        for config in configs.values():
            config._attn_implementation_internal = "eager"
        yield
    finally:
        for key, config in configs.items():
            config._attn_implementation_internal = before[key]


def _without_attentions(outputs: Any) -> Any:
    """Only where they are computed openly they can be given; some give them unasked."""
    if not isinstance(outputs, Mapping):
        return outputs
    return {name: part for name, part in outputs.items() if not name.endswith("attentions")}


def _configs(model: Any) -> "list[PreTrainedConfig]":
    """Some modules keep a mere figure under that name."""
    from transformers import PreTrainedConfig

    found = [getattr(module, "config", None) for module in model.modules()]
    return [each for each in found if isinstance(each, PreTrainedConfig)]


def assert_half_precision_is_close(
    model: Any, inputs: Inputs, precisions: Sequence[str] = ("bf16", "fp16")
) -> None:
    """In each half type the outputs are finite, and as near as its rounding allows.

    With weights that nobody trained that may say nothing of the model: where rounding them alone
    moves the result as far, a choice between alternatives falls otherwise, or a norm is less than
    the half type holds, it is skipped.
    """
    torch_must_compute(model, "half precision by casting is")
    require_room(model, 0.5)
    if dtype_of(model) in DTYPES.values():
        assert_finite(run(model, inputs))
        return
    expected = run(model, inputs)
    excuses: list[str] = []
    for name in precisions:
        dtype = DTYPES[name]
        with in_dtype(model, dtype):
            outputs = run(model, on(inputs, device_of(model), dtype))
        try:
            _assert_close_in(name, outputs, expected, model)
        except AssertionError:
            if (told := _said_by_chance(model, inputs, name)) is None:
                raise
            excuses.append(f"{name} says nothing of weights that nobody trained: {told}")
    if excuses:
        raise unittest.SkipTest("; ".join(excuses))


def _assert_close_in(name: str, outputs: Any, expected: Any, model: Any) -> None:
    try:
        assert_finite(outputs)
    except AssertionError as error:
        raise AssertionError(f"in {name}: {error}") from None
    assert_same(outputs, expected, f"in {name}", model, dtype=DTYPES[name])


def _said_by_chance(model: Any, inputs: Inputs, precision: str) -> str | None:
    """Why the result of an untrained model in a half type tells nothing; None where it does."""
    if not getattr(model, "rpgen_untrained", False):
        return None
    from rpgen.checks import evidence

    one = SimpleNamespace(model=model, inputs=inputs)
    rules = (evidence.by_choices, evidence.sensitive, evidence.by_norms)
    return next((told for rule in rules if (told := rule(precision, one))), None)


@contextmanager
def in_dtype(model: torch.nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """The model's weights in another dtype for a while; the originals come back untouched.

    Each has the dtype that it has where transformers loads the model in that type: buffers
    that are not saved (tables of positions) are made anew and say themselves, and some weights
    stay in fp32. What a run puts in the place of a buffer goes with it.
    """
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    held = [each for module in model.modules() for each in (module._buffers, vars(module))]
    before = [dict(each) for each in held]
    made = _made_in(model, dtype)
    try:
        for tensor, loaded in _as_loaded(model, dtype, made):
            kept.append((tensor, tensor.data))
            tensor.data = tensor.data.to(loaded)
        forget_derived(model, made)
        yield
    finally:
        for tensor, data in kept:
            tensor.data = data
        for now, then in zip(held, before, strict=True):
            now.update(then)
        forget_derived(model, None)


def _as_loaded(
    model: Any, dtype: torch.dtype, made: torch.nn.Module | None
) -> Iterator[tuple[torch.Tensor, torch.dtype]]:
    """Every floating tensor of the model with the dtype that a load gives it."""
    passing = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        for name in module._non_persistent_buffers_set
    }
    dtypes = {name: buffer.dtype for name, buffer in made.named_buffers()} if made else {}
    fixed = getattr(model, "_keep_in_fp32_modules_strict", None) or ()
    if dtype is torch.float16:
        fixed = [*fixed, *(getattr(model, "_keep_in_fp32_modules", None) or ())]
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        if name in passing:
            derived = dtype if made else tensor.dtype  # a run made it, from the weights
            yield tensor, dtypes.get(name, derived)
        elif not any(part in name for part in fixed):
            yield tensor, dtype


def _made_in(model: Any, dtype: torch.dtype) -> torch.nn.Module | None:
    """A model of its kind, without weights, made while `dtype` is the default; None where it
    can't be made so."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"), quiet_transformers():
            made: torch.nn.Module = type(model)(copy.deepcopy(model.config))
    except Exception:  # noqa: BLE001 (some compute with what they make, which meta can't)
        return None
    finally:
        torch.set_default_dtype(before)
    return made
