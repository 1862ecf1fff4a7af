"""How many layers a configuration promises: in all, in a part, and of those that attend."""

import re
from collections.abc import Sequence
from typing import Any

_STAGES = ("depths", "block_sizes", "num_block_repeats", "conv_depths")
_COUNTS = ("num_hidden_layers", "num_layers", "n_layer")
_TYPES = ("layers_block_type", "layer_types")
_ATTENDS = re.compile("attention|hybrid")
_LINEAR = "linear"


def layers_of(config: Any, field: str) -> tuple[int, ...]:
    """The numbers of layers that a field may go through; none for models built in stages.

    There are two where a layer holds two of what the other number counts.
    """
    part, own = _part_of(config, field)
    if any(hasattr(part, name) for name in _STAGES) or any(hasattr(config, n) for n in _STAGES):
        return ()
    said = [getattr(part, name, None) for name in (*own, *_COUNTS)]
    counts = [each for each in said if isinstance(each, int)]
    return tuple(dict.fromkeys(counts[:1] if own and isinstance(said[0], int) else counts))


def attending_layers(config: Any, field: str) -> tuple[int, ...]:
    """The same of those layers that have attention, where the configuration tells them apart;
    a type may also give something for each of the others."""
    layers = layers_of(config, field)
    kinds = _kinds(_part_of(config, field)[0])
    if layers and len(kinds) == layers[0] and "cross" not in field:
        attending = sum(bool(_ATTENDS.search(kind)) and _LINEAR not in kind for kind in kinds)
        return (attending, layers[0]) if attending else layers
    return layers


def has_sinks(model: Any) -> bool:
    """Whether a learned sink takes a share of what each query may attend to."""
    return any("sink" in name for name, _ in model.named_parameters())


def _part_of(config: Any, field: str) -> tuple[Any, tuple[str, ...]]:
    """The configuration of the part that a field is of, and its own names for the number."""
    outer, _, inner = field.rpartition(".")
    word = (outer or inner).partition("_")[0]
    whole = getattr(config, word, None)  # of a model that is made of two
    part = getattr(config, f"{word}_config", whole if hasattr(whole, "model_type") else None)
    if part is not None:
        return part, ()
    if inner.startswith(("decoder", "cross")):
        return _text_part(config, "decoder"), ("decoder_layers", "num_decoder_layers")
    if inner.startswith("encoder"):
        return _text_part(config, "encoder"), ("encoder_layers",)
    return _text_part(config, "decoder"), ()


def _text_part(config: Any, side: str) -> Any:
    try:
        return config.get_text_config()
    except ValueError:  # it has two: which is meant must be said
        return config.get_text_config(**{side: True})


def _kinds(part: Any) -> Sequence[str]:
    found = (getattr(part, name, None) for name in _TYPES)
    return next((each for each in found if isinstance(each, (list, tuple))), ())
