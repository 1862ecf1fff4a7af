"""A model with its parts, loaded anew to be broken; and the joints where it can be broken."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from rpgen.models import Checkpoint


class DoesNotApplyError(Exception):
    """This fault has no place in this model; the message says why."""


@dataclass
class Subject:
    """What a test file gets from the pool. `namespace` is that of the file."""

    name: str
    checkpoint: Checkpoint
    model: Any
    parts: dict[str, Any]
    namespace: dict[str, Any] = field(default_factory=dict)

    @property
    def tokenizer(self) -> Any:
        found = self.parts.get("tokenizer")
        return (
            found or getattr(self.parts.get("processor"), "tokenizer", None) or _none("tokenizer")
        )

    @property
    def image_processor(self) -> Any:
        found = self.parts.get("image_processor")
        inner = getattr(self.parts.get("processor"), "image_processor", None)
        return found or inner or _none("image processor")

    @property
    def feature_extractor(self) -> Any:
        return self.parts.get("feature_extractor") or _none("feature extractor")

    @property
    def layers(self) -> Any:
        """The stack of layers that a fault goes to: the longest path of the main modality."""
        return stacks(self.model)[0]

    @property
    def writes(self) -> bool:
        return self.name in ("gpt2", "t5", "whisper", "llava")


def _none(what: str) -> Any:
    raise DoesNotApplyError(f"it has no {what}")


def stacks(model: Any) -> list[Any]:
    """Stacks of equal layers, the text's or the decoder's first."""
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) > 1
        and len({type(each) for each in module}) == 1
        and name.rsplit(".", 1)[-1] in ("layer", "layers", "h", "block")
        and "bbox" not in name
    ]
    found.sort(key=lambda pair: not ("decoder" in pair[0] or "language" in pair[0]))
    return [module for _, module in found]


def inner_weight(subject: Subject) -> Any:
    """A matrix in the first layer of the stack: what a fault in the weights goes to."""
    named = dict(subject.layers[0].named_parameters())
    matrices = [tensor for tensor in named.values() if tensor.dim() == 2]
    return matrices[-1] if matrices else next(iter(named.values()))


def embedding(subject: Subject) -> Any:
    """The table of token embeddings."""
    for module in subject.model.modules():
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings > 256:
            return module
    raise DoesNotApplyError("it embeds no tokens")


def change_output(module: Any, change: Callable[[Any], Any]) -> None:
    """From now on the module's first result goes through `change`."""
    original = module.forward

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        return changed_first(original(*args, **kwargs), change)

    module.forward = broken


def changed_first(outputs: Any, change: Callable[[Any], Any]) -> Any:
    """The main tensor of an output changed, whatever the output is packed in."""
    if isinstance(outputs, torch.Tensor):
        return change(outputs)
    if isinstance(outputs, tuple):
        return (change(outputs[0]), *outputs[1:])
    key = main_key(outputs)
    outputs[key] = change(outputs[key])
    return outputs


def main_key(outputs: Any) -> str:
    for key in ("logits", "logits_per_image", "last_hidden_state"):
        if isinstance(outputs.get(key), torch.Tensor):
            return key
    return next(key for key, value in outputs.items() if isinstance(value, torch.Tensor))


def change_input(model: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """From now on the arguments of the model's forward go through `change`."""
    original = model.forward

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **change(kwargs))

    model.forward = broken


def change_call(part: Any, change: Callable[[Any], Any]) -> None:
    """From now on what a tokenizer or processor returns goes through `change`.

    Calls look methods up in the class, so the object gets a class of its own.
    """
    kind = type(part)

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        return change(kind.__call__(self, *args, **kwargs))

    part.__class__ = type(kind.__name__, (kind,), {"__call__": broken})
