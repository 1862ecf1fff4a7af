"""Counting the parameters of the well-known models, on the meta device: no memory, no weights."""

from collections.abc import Mapping
from typing import Any


def configuration(model_type: str, figures: Mapping[str, Any]) -> Any:
    """transformers' configuration with the model's own figures over the class's defaults."""
    from transformers import AutoConfig

    return AutoConfig.for_model(model_type, **figures)


def parameters(model_type: str, auto_class: str, figures: Mapping[str, Any]) -> int:
    """The parameters of the model that the auto class builds; shared ones count once."""
    import torch
    import transformers

    config = configuration(model_type, figures)
    config.architectures = config.architectures or []  # from_config looks for a match in it
    with torch.device("meta"):
        model = getattr(transformers, auto_class).from_config(config)
    return sum(one.numel() for one in model.parameters())


def needed(model_type: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures without those that the configuration class has as defaults anyway."""
    plain = configuration(model_type, {}).to_dict()
    return {key: value for key, value in figures.items() if key not in plain or plain[key] != value}
