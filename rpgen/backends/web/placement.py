"""Which provider got which nodes of a graph, from what ONNX Runtime's log said to a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEAVY = frozenset(
    {
        "Attention",
        "Conv",
        "ConvTranspose",
        "Einsum",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "GRU",
        "Gemm",
        "GroupQueryAttention",
        "LSTM",
        "MatMul",
        "MultiHeadAttention",
        "RNN",
    }
)
"""What a model's time goes into. Sizes and masks are computed on the processor by design."""

_COPY = "Memcpy"
"""Put into the graph between two providers: no node of the model's."""


@dataclass(frozen=True)
class Placed:
    """`nodes` by provider. `heavy_on_cpu` names the kinds of weight that the processor got,
    `parts` says in how many pieces WebNN computes."""

    nodes: Mapping[str, int] = field(default_factory=dict)
    heavy_on_cpu: tuple[str, ...] = ()
    parts: int | None = None


def placed(told: Sequence[Mapping[str, Any]]) -> Placed:
    """WebNN's nodes are counted before they are fused into one node for each part."""
    nodes: dict[str, int] = {}
    heavy: set[str] = set()
    parts = None
    for each in told:
        name = str(each["provider"]).removesuffix("ExecutionProvider")
        if "parts" in each:
            parts = int(each["parts"])
            nodes[name] = int(each["supported"])
        elif name != "WebNN" or parts is None:
            copies = sum(n for kind, n in each.get("kinds", {}).items() if kind.startswith(_COPY))
            nodes[name] = nodes.get(name, 0) + int(each["nodes"]) - copies
        if name == "CPU":
            heavy |= HEAVY & set(each.get("kinds", {}))
    found = {name: count for name, count in nodes.items() if count}
    return Placed(found, tuple(sorted(heavy)), parts)
