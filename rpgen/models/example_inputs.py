"""Inputs for a model that has no processor to make them: from its main input and configuration."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rpgen.errors import UsageError

if TYPE_CHECKING:
    import torch

_ROWS = 2
_LENGTH = 12
_SAMPLES = 16_000


def example_inputs(model: Any, seed: int = 0) -> "dict[str, torch.Tensor]":
    """Two rows of the model's main input (token ids, pixels, samples or features) from a seed.

    Values are drawn, never constant, and lie on the model's device in its dtype; an
    encoder-decoder model gets two decoder ids as well. Raises UsageError for a main input
    that none of these is.
    """
    import torch

    name = str(model.main_input_name)
    maker = _MAKERS.get(name)
    if maker is None:
        known = ", ".join(_MAKERS)
        raise UsageError(
            f"there is no example of {name}, the main input of {type(model).__name__}"
            f" (there is one of {known}): write encode() in the test by hand"
        )
    draw = torch.Generator().manual_seed(seed)
    inputs = maker(model.config, draw)
    if getattr(model.config, "is_encoder_decoder", False):
        start = getattr(model.config, "decoder_start_token_id", None)
        inputs["decoder_input_ids"] = torch.full((_ROWS, 2), start if start is not None else 0)
    return {key: _placed(value, model) for key, value in inputs.items()}


def _token_ids(config: Any, draw: "torch.Generator") -> "dict[str, torch.Tensor]":
    import torch

    vocabulary = int(getattr(config.get_text_config(), "vocab_size", None) or 32)
    ids = torch.randint(vocabulary // 4, vocabulary, (_ROWS, _LENGTH), generator=draw)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _pixels(config: Any, draw: "torch.Generator") -> "dict[str, torch.Tensor]":
    import torch

    vision = getattr(config, "vision_config", None) or config
    size = getattr(vision, "image_size", None) or 64
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    channels = getattr(vision, "num_channels", None) or 3
    return {"pixel_values": torch.randn(_ROWS, channels, height, width, generator=draw)}


def _samples(config: Any, draw: "torch.Generator") -> "dict[str, torch.Tensor]":
    import torch

    return {"input_values": torch.randn(_ROWS, _SAMPLES, generator=draw)}


def _features(config: Any, draw: "torch.Generator") -> "dict[str, torch.Tensor]":
    import torch

    bands = getattr(config, "num_mel_bins", None) or 80
    frames = 2 * (getattr(config, "max_source_positions", None) or 50)
    return {"input_features": torch.randn(_ROWS, bands, frames, generator=draw)}


_MAKERS: "dict[str, Callable[[Any, torch.Generator], dict[str, torch.Tensor]]]" = {
    "input_ids": _token_ids,
    "pixel_values": _pixels,
    "input_values": _samples,
    "input_features": _features,
}


def _placed(value: "torch.Tensor", model: Any) -> "torch.Tensor":
    if value.is_floating_point():
        return value.to(model.device, model.dtype)
    return value.to(model.device)
