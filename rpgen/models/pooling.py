"""From token vectors to one vector per sentence, the way sentence-transformers does it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rpgen.models.local_files import LocalFiles, read_object

_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}


def pooling_of(files: LocalFiles) -> tuple[str | None, bool]:
    """(`mean`, `cls`, `max` or `last`, or None; whether the result is normalised to length 1).

    None: the model has no `modules.json`, or pools in a way of its own.
    """
    modules = files.modules or ()
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    pooling = next((m for m, kind in zip(modules, kinds, strict=True) if kind == "Pooling"), None)
    if pooling is None or files.folder is None:
        return None, "Normalize" in kinds
    return _mode(files.folder / str(pooling.get("path", "")) / "config.json"), "Normalize" in kinds


def _mode(path: Path) -> str | None:
    if not path.is_file():
        return "mean"  # what sentence-transformers does unless told otherwise
    config: Mapping[str, Any] = read_object(path)
    named = config.get("pooling_mode")
    if isinstance(named, str):
        return {"lasttoken": "last"}.get(named, named)
    chosen = [name for flag, name in _FLAGS.items() if config.get(flag)]
    return chosen[0] if len(chosen) == 1 else None


def sentence_embedding(
    outputs: Any, attention_mask: Any, pooling: str = "mean", normalise: bool = True
) -> Any:
    """One vector per sentence: (batch, hidden), float32.

    `outputs` is a model's output or its `last_hidden_state`, (batch, tokens, hidden);
    `attention_mask` is (batch, tokens), 0 where there is padding. Padding never counts.
    """
    import torch

    states = getattr(outputs, "last_hidden_state", outputs).float()
    mask = attention_mask.to(states.device).unsqueeze(-1).to(states.dtype)
    if pooling == "mean":
        pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
    elif pooling == "max":
        pooled = states.masked_fill(mask == 0, float("-inf")).amax(1)
    elif pooling in ("cls", "last"):
        pooled = states[torch.arange(states.shape[0]), _row_ends(mask.squeeze(-1), pooling)]
    else:
        raise ValueError(f"unknown pooling {pooling!r}: mean, max, cls or last")
    return torch.nn.functional.normalize(pooled, dim=-1) if normalise else pooled


def _row_ends(mask: Any, pooling: str) -> Any:
    """The first or the last token that is not padding, whichever side the padding is on."""
    import torch

    places = torch.arange(mask.shape[1], device=mask.device)
    if pooling == "cls":
        return mask.argmax(1)
    return (mask * places).argmax(1)
