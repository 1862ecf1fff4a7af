"""The models of wrapped timm parts whose architecture is `TINY`, and how transformers finds them.

They take what transformers' wrappers of timm take and return what those return.
"""

from typing import Any

import torch
from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    ConvNextConfig,
    ConvNextModel,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput

from rpgen.models.timm_parts import TINY, WIDTHS, wrapped_parts


class _StandIn(PreTrainedModel):  # type: ignore[misc, unused-ignore]
    """`instead_of` is transformers' own class, for every other architecture."""

    main_input_name = "pixel_values"
    input_modalities = ("image",)
    instead_of: Any = None

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.arguments = dict(config.model_args or {})
        whole = ConvNextModel(_convnext(config, self.arguments))
        self.embeddings, self.stages = whole.embeddings, whole.encoder.stages
        self.width = whole.config.hidden_sizes[-1]

    @classmethod
    def _from_config(cls, config: Any, **how: Any) -> Any:
        if config.architecture != TINY:
            return cls.instead_of._from_config(config, **how)
        return super()._from_config(config, **how)

    @classmethod
    def from_pretrained(cls, place: Any, *more: Any, **how: Any) -> Any:
        if getattr(how.get("config"), "architecture", TINY) != TINY:
            return cls.instead_of.from_pretrained(place, *more, **how)
        return super().from_pretrained(place, *more, **how)

    def maps(self, pixel_values: Any) -> list[Any]:
        """One of each stage, in memory of its own: some wholes scale in place what they get."""
        found, current = [], self.embeddings(pixel_values)
        for stage in self.stages:
            current = stage(current)
            found.append(current.clone())
        return found


class Features(_StandIn):
    """Instead of TimmWrapperModel. Only timm's transformers have an `embed_dim`: tokens then,
    the first of which stands for the class."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.post_init()

    def forward(
        self,
        pixel_values: Any,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        do_pooling: bool | None = None,
        **ignored: Any,
    ) -> Any:
        maps = self.maps(pixel_values)
        last, pooled = maps[-1], maps[-1].mean((2, 3))
        if self.arguments.get("features_only"):
            places = self.arguments.get("out_indices") or range(len(maps))
            last, pooled = [maps[place] for place in places], None
        elif "embed_dim" in self.arguments:
            last = last.flatten(2).transpose(1, 2)
            if self.arguments.get("class_token", True):
                last = torch.cat([pooled[:, None], last], 1)
        wanted = self.config.do_pooling if do_pooling is None else do_pooling
        given = BaseModelOutputWithPooling(
            last_hidden_state=last,
            pooler_output=pooled if wanted else None,
            hidden_states=tuple(maps) if output_hidden_states else None,
        )
        return given.to_tuple() if return_dict is False else given


class Classes(_StandIn):
    """Instead of TimmWrapperForImageClassification."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.head = torch.nn.Linear(self.width, config.num_labels)
        self.post_init()

    def forward(
        self,
        pixel_values: Any,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **ignored: Any,
    ) -> Any:
        maps = self.maps(pixel_values)
        given = ImageClassifierOutput(
            logits=self.head(maps[-1].mean((2, 3))),
            hidden_states=tuple(maps) if output_hidden_states else None,
        )
        return given.to_tuple() if return_dict is False else given


def _convnext(config: Any, arguments: dict[str, Any]) -> ConvNextConfig:
    own = getattr(config, "hidden_size", None)
    last = arguments.get("embed_dim") or (own if isinstance(own, int) else WIDTHS[-1])
    return ConvNextConfig(
        hidden_sizes=[*WIDTHS[:-1], last], depths=[1] * len(WIDTHS),
        layer_scale_init_value=1.0,
    )  # fmt: skip


def register_for(config: Any) -> None:
    """Lets transformers build the stand-ins of this configuration."""
    for part in wrapped_parts(config):
        _register(type(part))


def _register(kind: Any) -> None:
    for auto, stand_in in ((AutoModel, Features), (AutoModelForImageClassification, Classes)):
        own = auto._model_mapping.get(kind, None)
        if isinstance(own, type) and issubclass(own, stand_in):
            continue  # it is there from another model
        known = {"config_class": kind, "instead_of": own, "__module__": __name__}
        auto.register(kind, type(f"{stand_in.__name__}Of{kind.__name__}", (stand_in,), known), True)
