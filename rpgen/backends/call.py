"""A model as a function of tensors: what every backend prepares.

model(input_ids=..., attention_mask=..., use_cache=False) -> MaskedLMOutput(logits=...)
call(input_ids, attention_mask)                           -> (logits,)
"""

import functools
from collections.abc import Mapping
from typing import Any, Protocol

from rpgen.backends.structure import Structure, put_together, signature, take_apart


class FlatCall(Protocol):
    """A torch module of positional tensors, in the order of `input_names`.

    `reference` are the outputs that torch gave, eager on the CPU, for the example that the call
    was made with; `output` is their structure, `model` the model itself.
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    reference: Mapping[str, Any]
    output: Structure
    model: Any
    input_ranks: Mapping[str, int]

    def __call__(self, *tensors: Any) -> tuple[Any, ...]: ...

    def signature(self) -> str:
        """The same for calls that take and return the same parts with the same switches."""
        ...


def flat_call(model: Any, inputs: Mapping[str, Any]) -> FlatCall:
    """Made from an example call `model(**inputs)`, which is run once.

    Raises `UnknownPartError` for what can't be taken apart.
    """
    import torch

    tensors, taken = take_apart(dict(inputs), "")
    with torch.inference_mode():
        given = put_together(taken, {name: each.clone() for name, each in tensors.items()})
        returned = model(**given)
    reference, output = take_apart(returned, "outputs")
    call: FlatCall = _class()(model, tuple(tensors), taken, tuple(reference), output)
    call.input_ranks = {name: each.dim() for name, each in tensors.items()}
    call.reference = {name: each.detach().clone() for name, each in reference.items()}
    return call


@functools.cache
def _class() -> Any:
    """torch is imported when the first call is made."""
    import torch

    class Call(torch.nn.Module):  # type: ignore[misc]  # to mypy torch is Any
        def __init__(
            self,
            model: Any,
            input_names: tuple[str, ...],
            taken: Structure,
            output_names: tuple[str, ...],
            output: Structure,
        ) -> None:
            super().__init__()
            self.model = model
            self.input_names, self.output_names = input_names, output_names
            self.output = output
            self._taken = taken
            self.training = model.training  # and no other's: it is recorded as it is

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            by_name = dict(zip(self.input_names, tensors, strict=True))
            returned = self.model(**put_together(self._taken, by_name))
            found, _ = take_apart(returned, "outputs")
            return tuple(found[name] for name in self.output_names)

        def signature(self) -> str:
            return f"{signature(self._taken)} -> {signature(self.output)}"

    return Call
