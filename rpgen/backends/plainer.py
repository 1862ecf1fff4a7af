"""What ONNX or OpenVINO doesn't know, or computes otherwise, is recorded as what it is made of.

While a model is recorded these take the place of torch's and transformers' own functions; the
recording is then compared with the model as it is.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def plainer_operations() -> Iterator[None]:
    import torch
    from transformers.cache_utils import DynamicLayer
    from transformers.integrations import sdpa_attention

    functional = torch.nn.functional
    with ExitStack() as stack:
        for owner, name, function in (
            (torch, "diff", _diff),
            (torch, "xlogy", _xlogy),
            (torch.Tensor, "cumsum", _counted(torch.Tensor.cumsum)),
            (functional, "cross_entropy", _cross_entropy(functional.cross_entropy)),
            (
                functional,
                "scaled_dot_product_attention",
                _attention(functional.scaled_dot_product_attention),
            ),
            (DynamicLayer, "update", _update(DynamicLayer.update)),
            (sdpa_attention, "use_gqa_in_sdpa", lambda *_args, **_options: False),
        ):
            stack.enter_context(patch.object(owner, name, function, create=True))
        yield


def _diff(value: Any, n: int = 1, dim: int = -1, prepend: Any = None) -> Any:
    """The subtraction that it is. Masks look for jumps in positions with it."""
    import torch

    for _ in range(n):
        whole = value if prepend is None else torch.cat([prepend, value], dim)
        length = whole.shape[dim]
        value = whole.narrow(dim, 1, length - 1) - whole.narrow(dim, 0, length - 1)
    return value


def _xlogy(weight: Any, value: Any) -> Any:
    """The product that it is, 0 where the weight is. Entropies are written with it."""
    import torch

    nothing = weight == 0
    return torch.where(nothing, weight, weight * torch.where(nothing, 1.0, value).log())


def _counted(plain: Any) -> Any:
    """A count of truths as one of numbers."""
    import torch

    def cumsum(value: Any, *args: Any, **options: Any) -> Any:
        return plain(value.long() if value.dtype is torch.bool else value, *args, **options)

    return cumsum


def _cross_entropy(plain: Any) -> Any:
    """The mean over what is not left out, for rows of scores and whole numbers as targets."""
    import torch

    def cross_entropy(
        scores: Any, target: Any, weight: Any = None, ignore_index: int = -100, **options: Any
    ) -> Any:
        mean = options.get("reduction", "mean") == "mean" and not options.get("label_smoothing")
        if weight is not None or not mean or scores.dim() != 2 or target.is_floating_point():
            return plain(scores, target, weight=weight, ignore_index=ignore_index, **options)
        counts = (target != ignore_index).to(scores.dtype)
        chosen = torch.where(target != ignore_index, target, torch.zeros_like(target))
        found = torch.log_softmax(scores, -1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
        return -(found * counts).sum() / counts.sum()

    return cross_entropy


def _attention(plain: Any) -> Any:
    """A row that may look nowhere (padding on the left) gives 0 in torch and not a number
    elsewhere, which then spreads. So what is masked is very small instead of infinitely so."""
    import torch

    def attention(query: Any, key: Any, value: Any, attn_mask: Any = None, **options: Any) -> Any:
        if attn_mask is None or attn_mask.dtype is not torch.bool:
            return plain(query, key, value, attn_mask=attn_mask, **options)
        seen = attn_mask.to(query.dtype)
        bias = (1.0 - seen) * torch.finfo(query.dtype).min
        return plain(query, key, value, attn_mask=bias, **options) * seen.amax(-1, keepdim=True)

    return attention


def _update(plain: Any) -> Any:
    """The first entry of a cache is itself; transformers joins it to an empty tensor of another
    rank."""

    def update(layer: Any, keys: Any, values: Any, *args: Any, **options: Any) -> Any:
        if layer.is_initialized:
            return plain(layer, keys, values, *args, **options)
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        return keys, values

    return update
