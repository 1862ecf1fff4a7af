"""Experiments that show why a model does not stand a check."""

import copy
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from rpgen import checks
from rpgen.checks.choices import Choices, DivergedError
from rpgen.checks.compare import assert_same
from rpgen.checks.copies import assert_same_configuration
from rpgen.checks.gradients import loss_of
from rpgen.checks.masks import Masks
from rpgen.checks.remarks import remark
from rpgen.checks.running import SEED, device_of, on, run
from rpgen.checks.tensors import copied, named_tensors
from rpgen.checks.variants import DTYPES, eager_attention, in_dtype
from rpgen.models.load import give_forward
from rpgen.models.quiet import quiet_transformers, seeded

_OF_TYPES = re.compile(r"dtype|scalar type|bias type")
_BOTH_WAYS = re.compile(r"#\s*(.*\balways bidirectional\b.*)")
_ONE_CHANNEL = re.compile(r"(all channels values are the same,\s+extract the first channel)")
_AGITATION = 0.5  # of a weight's own spread


def by_choices(check: str, one: Any) -> str | None:
    """What the model chooses otherwise in the other way of computing, where that is all: with
    the choices of the first run, the second agrees within rounding."""
    dtype = DTYPES.get(check)
    other: AbstractContextManager[None] = (
        in_dtype(one.model, dtype) if dtype else eager_attention(one.model)
    )
    with Choices() as first:
        expected = run(one.model, one.inputs)
    try:
        with other, Choices(first) as second:
            outputs = run(one.model, on(one.inputs, device_of(one.model), dtype))
        assert_same(outputs, expected, check, one.model, dtype=dtype)
    except (AssertionError, DivergedError):
        return None
    told = str(second)
    return f"{told}; with the same choices the result is the same" if told else None


class _Norms(TorchFunctionMode):  # type: ignore[misc]
    """Norms are taken in fp32, whatever the type of what they are of."""

    def __init__(self) -> None:
        super().__init__()
        self.underflown = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.nn.functional.normalize:
            return func(*args, **(kwargs or {}))
        values = args[0]
        result = func(values.float(), *args[1:], **(kwargs or {})).to(values.dtype)
        own = func(values, *args[1:], **(kwargs or {}))
        self.underflown += int((~own.isfinite() & result.isfinite()).sum())
        return result


def by_norms(check: str, one: Any) -> str | None:
    """How many values a half type loses where it divides by a norm that it can't hold, where
    that is all: with the norms taken in fp32, the result is the same."""
    dtype = DTYPES[check]
    expected = run(one.model, one.inputs)
    with in_dtype(one.model, dtype), _Norms() as norms:
        outputs = run(one.model, on(one.inputs, device_of(one.model), dtype))
    try:
        assert_same(outputs, expected, "with norms in fp32", one.model, dtype=dtype)
    except AssertionError:
        return None
    told = f"{norms.underflown} values were divided by a norm that it can't hold"
    return f"{told}; with norms in fp32 the result is the same" if norms.underflown else None


def by_masks(check: Callable[[], None], one: Any) -> str | None:
    """Which attention reads its mask otherwise than the model means it, where that is all:
    given each mask in full and of the kind that it reads, the model stands the check. That it
    stands it where nothing was read otherwise shows nothing."""
    masks = Masks(one.model)
    with masks.watched():
        run(one.model, one.inputs)
    for of_truths in (False, True):
        masks.told = []
        try:
            with masks.in_full(of_truths):
                check()
        except AssertionError:
            continue
        told = f"{masks}; where each gets the mask that it reads, there is no difference"
        return told if masks.told else None
    return None


def sensitive(check: str, one: Any) -> str | None:
    """How far the result moves when weights and inputs are rounded to a half type and all is
    computed in fp32: where that is too far already, it is not the computing in half."""
    dtype = DTYPES[check]
    expected = run(one.model, one.inputs)
    kept = [(tensor, tensor.data) for tensor in one.model.parameters()]
    rounded = {
        name: value.to(dtype).to(value.dtype) if _floats(value) else value
        for name, value in one.inputs.items()
    }
    try:
        for tensor, data in kept:
            if data.is_floating_point():
                tensor.data = data.to(dtype).to(data.dtype)
        outputs = run(one.model, rounded)
    finally:
        for tensor, data in kept:
            tensor.data = data
    try:
        assert_same(outputs, expected, "with its weights rounded, in fp32", one.model, dtype=dtype)
    except AssertionError as error:
        return " ".join(str(error).split())
    return None


def _floats(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def fails_when_loaded(check: str, one: Any) -> str | None:
    """What a model that transformers itself loads in a half type says, run in it."""
    dtype = DTYPES[check]
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        one.model.save_pretrained(folder)
        loaded = type(one.model).from_pretrained(folder, dtype=dtype, local_files_only=True)
    give_forward(loaded.eval())
    try:
        run(loaded, on(one.inputs, device_of(loaded), dtype))
    except RuntimeError as error:
        if not _OF_TYPES.search(str(error)):
            return None
        return f"loaded in {check}, it says: {' '.join(str(error).split())}"
    return None


def draws(one: Any) -> bool:
    """Whether a run draws random numbers."""
    try:
        checks.assert_leaves_torch_alone(one.forward_freely, one.inputs)
    except AssertionError as error:
        return "drew random numbers" in str(error)
    return False


def reads_both_ways(model: Any) -> str | None:
    """What of the configuration, or of the model's code, says that a text is read as a whole."""
    return _configured_both_ways(model.config) or _written_both_ways(type(model))


def reads_grey(model: Any) -> str | None:
    """The remark of transformers' code that a picture's channels are one, of which it reads the
    first."""
    return remark(type(model), _ONE_CHANNEL)


def _written_both_ways(kind: type) -> str | None:
    """The remark of transformers' code that attention is always bidirectional."""
    said = remark(kind, _BOTH_WAYS)
    return f"{kind.__module__} says: {said}" if said else None


def _configured_both_ways(config: Any) -> str | None:
    if getattr(config, "is_encoder_decoder", False):
        return "is_encoder_decoder is True, and input_ids are what the encoder reads"
    if getattr(config, "is_decoder", None) is False:
        return "is_decoder is False"
    if getattr(config, "attn_type", None) == "bi":
        return "attn_type is bi"
    return None


class _Attached(TorchFunctionMode):  # type: ignore[misc]
    """Nothing is cut off by `detach()`, and nothing runs without gradients."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.detach, torch.detach):
            return args[0].clone()
        return func(*args, **(kwargs or {}))


def detached(names: Sequence[str], one: Any) -> set[str]:
    """Those of the stacks that gradients reach where no `detach()` cuts them off."""
    parameters = {name: p for name, p in one.model.named_parameters() if p.requires_grad}
    found: set[str] = set()
    try:
        with seeded(SEED), torch.enable_grad(), _Attached():
            outputs = one.model(**on(one.inputs, device_of(one.model)))
            loss = loss_of(outputs)
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    except (RuntimeError, AssertionError):
        return set()
    for name in names:
        own = [g for n, g in zip(parameters, gradients, strict=True) if n.startswith(f"{name}.")]
        if sum(g is not None and bool(g.any()) for g in own) > len(own) / 2:
            found.add(name)
    return found


def has_no_say(name: str, one: Any) -> str | None:
    """Why the outputs do not change with the weights of a part: at all, or but for a choice."""
    with Choices() as first:
        before = copied(run(one.model, one.inputs))
    part = one.model.get_submodule(name)
    kept = [(parameter, parameter.data) for parameter in part.parameters()]
    generator = torch.Generator().manual_seed(SEED)
    try:
        for parameter, data in kept:
            spread = float(data.std()) if data.numel() > 1 else 1.0
            noise = torch.randn(data.shape, generator=generator, dtype=data.dtype)
            parameter.data = data + _AGITATION * (spread or 1.0) * noise
        if _alike(run(one.model, one.inputs), before):
            return f"other weights in {name} change no output"
        with Choices(first):
            replayed = run(one.model, one.inputs)
    except DivergedError:
        return None
    finally:
        for parameter, data in kept:
            parameter.data = data
    return f"{name} matters to a choice only" if _alike(replayed, before) else None


def _alike(outputs: Any, before: Any) -> bool:
    was = dict(named_tensors(before))
    return all(
        name in was and tensor.shape == was[name].shape and torch.equal(tensor, was[name])
        for name, tensor in named_tensors(outputs)
    )


def changes_in_its_own_copy(config: Any) -> bool:
    """Whether a configuration is another after it was written out and read, without a model."""
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        config.save_pretrained(folder)
        again = type(config).from_pretrained(folder, local_files_only=True)
    try:
        assert_same_configuration(_Holder(again), _Holder(config))
    except AssertionError:
        return True
    return False


def changes_when_built(model: Any) -> bool:
    """Whether a model that is made of a configuration writes something else into it."""
    config, untouched = copy.deepcopy(model.config), copy.deepcopy(model.config)
    with torch.device("meta"), quiet_transformers():
        type(model)(config)
    try:
        assert_same_configuration(_Holder(config), _Holder(untouched))
    except AssertionError:
        return True
    return False


class _Holder:
    def __init__(self, config: Any) -> None:
        self.config = config


def breaks_when_asked(one: Any) -> bool:
    """Whether a fresh model runs, and no more once hidden states were asked for."""
    fresh = one.fresh()
    run(fresh.model, fresh.inputs)
    try:
        run(fresh.model, fresh.inputs, output_hidden_states=True)
        run(fresh.model, fresh.inputs)
    except Exception:  # noqa: BLE001 (whatever it says: it ran before)
        return True
    return False
