"""Experiments that show why a text in a padded batch is not what it is alone.

A model may take no mask of padding at all, or take no notice of it; and what joins neighbouring
places, a convolution or a pooling along the text, reads padding with the last of the words.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from rpgen.checks.generation import generated
from rpgen.checks.remarks import remark
from rpgen.checks.running import run
from rpgen.checks.tensors import named_tensors

MASK = "attention_mask"
_STATE = 3  # dimensions: (rows, places, width)
_SAID = re.compile(r"#\s*(.*\blast token's hidden state\b.*\bpadding\b.*)")
_CONVOLUTIONS = {
    torch.nn.functional.conv1d, torch.conv1d, torch.nn.functional.conv2d, torch.conv2d,
    torch.nn.functional.unfold,
}  # fmt: skip


def takes_no_notice(one: Any) -> str | None:
    """What shows that the result of a run does not depend on a mask of padding."""
    if MASK not in inspect.signature(one.model.forward).parameters:
        return f"forward of {type(one.model).__name__} takes no {MASK}"
    if MASK not in one.inputs:
        return None
    whole, holed = (run(one.model, inputs) for inputs in _with_and_without_hole(one.inputs))
    return (
        f"a hole in the {MASK} changes nothing, to the last bit" if _equal(whole, holed) else None
    )


def generates_without_notice(one: Any, new_tokens: int) -> str | None:
    """The same of generation, which may leave out a mask that `forward` would take."""
    given = {name: value for name, value in one.inputs.items() if name != "labels"}
    if MASK not in given:
        return None
    whole, holed = (
        generated(one.model, each, new_tokens) for each in _with_and_without_hole(given)
    )
    if not torch.equal(whole.sequences, holed.sequences):
        return None
    same = all(map(torch.equal, whole.logits or (), holed.logits or ()))
    return f"to generate(), a hole in the {MASK} changes nothing" if same else None


def _with_and_without_hole(inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The inputs, and the same with the second token of each row masked as well."""
    yield dict(inputs)
    mask = inputs[MASK].clone()
    mask[:, 1] = 0
    yield {**inputs, MASK: mask}


def _equal(first: Any, second: Any) -> bool:
    others = dict(named_tensors(second))
    return all(torch.equal(tensor, others[name]) for name, tensor in named_tensors(first))


def through_convolutions(check: Callable[[], None], one: Any) -> str | None:
    """Whether the model stands the check once its convolutions along the text read nothing where
    the mask has padding."""
    with _Unpadded(one.model) as unpadded:
        try:
            check()
        except AssertionError:
            return None
    if not unpadded.seen:
        return None
    names = " and ".join(sorted(unpadded.seen))
    return f"{names} along the text reads padding; where it reads 0 there, nothing differs"


class _Unpadded(TorchFunctionMode):  # type: ignore[misc]
    """What goes into a convolution along the text is 0 at padding, as it is beyond the end."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self._mask: torch.Tensor | None = None
        self._hook = model.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, model: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self._mask = kwargs.get(MASK)

    def __exit__(self, *error: Any) -> None:
        self._hook.remove()
        super().__exit__(*error)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _CONVOLUTIONS and self._mask is not None:
            axis = self._axis(args[0])
            if axis is not None:
                shape = [1] * args[0].ndim
                shape[0], shape[axis] = self._mask.shape
                args = (args[0] * self._mask.view(shape).to(args[0].dtype), *args[1:])
                self.seen.add(func.__name__)
        return func(*args, **(kwargs or {}))

    def _axis(self, values: torch.Tensor) -> int | None:
        """The dimension of the text, behind that of the batch; None where there is none."""
        assert self._mask is not None
        batch, length = self._mask.shape
        if not isinstance(values, torch.Tensor) or values.ndim < 3 or len(values) != batch:
            return None
        return next((axis for axis in (2, 1) if values.shape[axis] == length), None)


def pools_neighbours(one: Any) -> str | None:
    """Whether layers have fewer places than the text: some are then of two of its tokens, or of
    the last one and padding."""
    length = one.inputs["input_ids"].shape[1]
    outputs = run(one.model, one.inputs, output_hidden_states=True)
    places = [
        tensor.shape[1]
        for name, tensor in named_tensors(outputs)
        if "hidden_states" in name and tensor.ndim == _STATE
    ]
    fewest = min(places, default=length)
    return f"a state of {length} tokens has {fewest} places" if 1 < fewest < length else None


def pools_the_last(one: Any) -> str | None:
    """The remark in transformers' code that what stands for a text may be of padding."""
    return next(filter(None, (remark(type(each), _SAID) for each in one.model.modules())), None)
