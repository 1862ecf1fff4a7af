"""What a configuration's model consists of, counted without making any weight.

A model is more than its parameters: masks, positional tables and filters are buffers, some of
them in no file. They are built on torch's meta device, where a tensor has a size and no bytes.
"""

from dataclasses import dataclass
from typing import Any

from rpgen.models.load import from_config
from rpgen.models.quiet import quiet_transformers


@dataclass(frozen=True)
class TensorCounts:
    """`values` are floating-point numbers, which take the dtype that is asked for; `fixed_bytes`
    the rest (positions, masks), which keeps its own. `linear` are those of the values that lie
    in linear layers, which is what can be quantised."""

    parameters: int
    values: int
    fixed_bytes: int
    linear: int


def count_tensors(
    config: Any, auto_class: str, trust_remote_code: bool = False, options: Any = None
) -> TensorCounts:
    """The model's tensors by storage: tied weights once, a view as the whole it holds."""
    import torch

    with quiet_transformers(), torch.device("meta"):
        model = from_config(config, auto_class, trust_remote_code, options or {})
    tensors = [*model.parameters(), *model.buffers()]
    largest: dict[int, Any] = {}
    for tensor in tensors:
        largest.setdefault(tensor.untyped_storage()._cdata, tensor)
    values = fixed = 0
    for tensor in largest.values():
        size = tensor.untyped_storage().nbytes()
        if tensor.is_floating_point():
            values += size // tensor.element_size()
        else:
            fixed += size
    return TensorCounts(
        sum(p.numel() for p in model.parameters()), values, fixed, _linear_values(model)
    )


def _linear_values(model: Any) -> int:
    """Of all linear layers but the one that puts words out, which is kept as it is."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    kept = {id(module) for module in _word_tables(model)}
    weights = {
        id(module.weight): module.weight.numel()
        for module in model.modules()
        if isinstance(module, (nn.Linear, Conv1D)) and id(module) not in kept
    }
    return sum(weights.values())


def _word_tables(model: Any) -> list[Any]:
    """The input and output embeddings; none for a model that reads or writes no words."""
    try:
        both = (model.get_output_embeddings(), model.get_input_embeddings())
    except (NotImplementedError, AttributeError):  # CLIP, Wav2Vec2, DETR: no single table
        return []
    return [module for module in both if module is not None]
