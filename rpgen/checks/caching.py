"""Experiments that show why a model does not agree with its cache, where that is by design."""

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from rpgen.checks.generation import assert_pieces_agree, pieces_of
from rpgen.checks.remarks import remark
from rpgen.checks.running import run

_NO_FIRST_STATE = re.compile(r"#\s*(.*Initial hidden state\W* is not supported[\w ]*)")
_FOR_ONE_TOKEN = re.compile(r"(use_precomputed_states = [^=]*\bseq_len == 1)\b")
_SEVERAL = 2  # tokens


def counts_when_told(one: Any) -> str | None:
    """Whether the model agrees with its cache once it is told the positions of each piece, as
    `generate()` tells them to each model that takes them; untold, it begins at 0 each time."""
    stops = pieces_of(one.inputs["input_ids"].shape[1])
    if not _takes_positions(one) or not _agrees(one, stops, positions=True):
        return None
    return "told the position_ids of each piece, as generate() does, it gives the same"


def _takes_positions(one: Any) -> bool:
    return "position_ids" in inspect.signature(one.model.forward).parameters


def _agrees(one: Any, stops: Sequence[int], *, positions: bool) -> bool:
    try:
        assert_pieces_agree(one.model, one.inputs, stops, positions=positions)
    except AssertionError:
        return False
    return True


def starts_anew(one: Any) -> str | None:
    """Whether several tokens at once ignore what the cache holds of a state, as transformers'
    code says: zeros in its place change nothing, while token by token the model agrees with
    its cache, told the positions if it needs that."""
    kind = type(one.model)
    said = remark(kind, _NO_FIRST_STATE) or remark(kind, _FOR_ONE_TOKEN)
    ids = one.inputs["input_ids"]
    half, length = max(1, ids.shape[1] // 2), ids.shape[1]
    if said is None or length - half < _SEVERAL:
        return None
    ways = (False, True) if _takes_positions(one) else (False,)
    stops = range(half, length + 1)
    told = next((way for way in ways if _agrees(one, stops, positions=way)), None)
    if told is None:
        return None
    kept, emptied = (
        _continued(one, ids, half, positions=told, empty=empty) for empty in (False, True)
    )
    if emptied is None or not torch.equal(kept, emptied):
        return None
    alone = "token by token, and told the position_ids of each," if told else "token by token"
    return f"{said}: {alone} it gives the same, several at once as if the state were 0"


def _continued(
    one: Any, ids: torch.Tensor, half: int, *, positions: bool, empty: bool
) -> torch.Tensor | None:
    """The logits of the second half at once; None where there is no state to be emptied."""
    cache = run(one.model, {"input_ids": ids[:, :half]}, use_cache=True).past_key_values
    states = list(_states(cache)) if empty else []
    if empty and not any(bool(state.any()) for state in states):
        return None
    with torch.inference_mode():
        for state in states:
            state.zero_()
    rest = {"input_ids": ids[:, half:]}
    if positions:
        rest["position_ids"] = torch.arange(half, ids.shape[1])[None]
    logits: torch.Tensor = run(one.model, rest, past_key_values=cache, use_cache=True).logits
    return logits


def _states(cache: Any) -> Iterator[torch.Tensor]:
    for layer in getattr(cache, "layers", ()):
        states = getattr(layer, "recurrent_states", None)
        several = states.values() if isinstance(states, dict) else (states,)
        yield from (state for state in several if state is not None)
