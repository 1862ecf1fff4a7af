"""A tiny model of any architecture: the same structure, under two million parameters.

From the model's own configuration where there is one, else from the defaults of its type. The
ladder of `shrink` is climbed until a configuration builds (on the meta device, so that nothing
is allocated) and is small enough.
"""

from collections.abc import Mapping
from typing import Any

from rpgen.errors import ModelUnavailableError, RpgenError
from rpgen.models.load import built_model, count_parameters
from rpgen.models.quiet import quiet_transformers
from rpgen.models.shrink import LADDER, Rung, is_consistent, shrunk

LARGEST_TINY = 2_000_000
_LAST_RESORT = 100_000_000
"""Above this even the smallest form that builds is refused."""

_PARTS = {
    "encoder": "bert",
    "decoder": "gpt2",
    "text_encoder": "t5",
    "text_config": "bert",
    "vision_config": "vit",
    "audio_encoder": "encodec",
    "question_encoder": "dpr",
    "generator": "bart",
}
"""What a composite configuration without defaults is made of."""

_PARTS_OF = {
    "vision-encoder-decoder": {"encoder": "vit"},
    "speech-encoder-decoder": {"encoder": "wav2vec2"},
    "musicgen": {"decoder": "musicgen_decoder"},
    "musicgen_melody": {"decoder": "musicgen_melody_decoder"},
}


def full_config(model_type: str | None, figures: Mapping[str, Any]) -> Any:
    """transformers' configuration of a type with these figures, at full size."""
    from transformers import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        raise ModelUnavailableError(
            f"the installed transformers has no architecture {model_type!r}: check the "
            "model_type, or install a version that has it"
        )
    kind = CONFIG_MAPPING[model_type]
    with quiet_transformers():
        if not figures and getattr(kind, "has_no_defaults_at_init", False):
            return _composite(model_type, kind)
        return kind.from_dict({**figures, "model_type": model_type})


def tiny_config(
    model_type: str | None, figures: Mapping[str, Any] | None = None, auto_class: str = "AutoModel"
) -> Any:
    """The small configuration, of the type's own class. Raises ModelUnavailableError."""
    full = full_config(model_type, figures or {})
    figures_of_full = full.to_dict()
    best: tuple[int, Any] | None = None
    failure: Exception | None = None
    for rung in _rungs(figures_of_full):
        try:
            config = _build(full, shrunk(figures_of_full, rung))
            count = count_parameters(config, auto_class)
        except RpgenError:
            raise
        except Exception as error:  # noqa: BLE001 (any error means: this form doesn't build)
            failure = failure or error
            continue
        if count <= LARGEST_TINY:
            return config
        if best is None or count < best[0]:
            best = count, config
    if best is None or best[0] > _LAST_RESORT:
        reason = failure or f"the smallest form still has {best[0] if best else 0} parameters"
        raise ModelUnavailableError(
            f"no tiny {model_type} could be made for {auto_class}: {reason}"
        ) from failure
    return best[1]


def tiny_model(config: Any, auto_class: str, **how: Any) -> Any:
    """A model of a tiny configuration, with weights from the seed (see `built_model`)."""
    return built_model(config, auto_class, **how)


def _rungs(figures: Mapping[str, Any]) -> list[Rung]:
    """The ladder, with the rungs whose heads come out uneven at its end."""
    even = {rung: is_consistent(shrunk(figures, rung)) for rung in LADDER}
    return sorted(LADDER, key=lambda rung: not even[rung])


def _build(full: Any, figures: dict[str, Any]) -> Any:
    with quiet_transformers():
        config = type(full).from_dict(figures)
        config.architectures = config.architectures or []
        _join_seams(config)
        _settle_tokens(config)
    return config


def text_config(config: Any) -> Any:
    """The part that reads text (the configuration itself where it has no parts)."""
    named = getattr(config, "text_encoder", None)
    return named if named is not None else config.get_text_config()


def reads_text(config: Any) -> bool:
    return isinstance(getattr(text_config(config), "vocab_size", None), int)


def _join_seams(config: Any) -> None:
    """What a vision or audio part puts out must be as wide as the text part is."""
    text = text_config(config)
    if text is config:
        return
    for name in ("vision_config", "audio_config"):
        part: Any = getattr(config, name, None)
        if isinstance(getattr(part, "out_hidden_size", None), int):
            part.out_hidden_size = text.hidden_size
    pooled = getattr(config, "mm_tokens_per_image", None)
    if isinstance(pooled, int):  # patches are pooled to a square of tokens
        patches = config.vision_config.image_size // config.vision_config.patch_size
        sides = [side for side in range(1, patches + 1) if patches % side == 0]
        config.mm_tokens_per_image = max(side**2 for side in sides if side**2 <= pooled)


def _settle_tokens(config: Any) -> None:
    """Batches need a pad token and generation needs an end: give both where none is set."""
    text = text_config(config)
    if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
        starts = [getattr(text, f"{role}_token_id", None) for role in ("bos", "pad")]
        config.decoder_start_token_id = next((s for s in starts if s is not None), 0)
    vocabulary = getattr(text, "vocab_size", None)
    if not isinstance(vocabulary, int) or not hasattr(text, "eos_token_id"):
        return
    if text.eos_token_id is None and writes_text(config):
        text.eos_token_id = vocabulary - 1
    _place_modal_tokens(config, vocabulary)
    if getattr(text, "pad_token_id", None) is None and text.eos_token_id is not None:
        ends = text.eos_token_id
        text.pad_token_id = ends[0] if isinstance(ends, list | tuple) else ends


def _place_modal_tokens(config: Any, vocabulary: int) -> None:
    """The token that stands for an image or a sound, where the configuration leaves it open."""
    used = {value for value in vars(config).values() if isinstance(value, int)}
    free = (index for index in range(vocabulary - 2, 0, -1) if index not in used)
    for name in ("image", "audio", "video"):
        for ending in ("id", "index"):
            key = f"{name}_token_{ending}"
            if key in vars(config) and getattr(config, key) is None:
                setattr(config, key, next(free))


def writes_text(config: Any) -> bool:
    """Does the model generate text (and is not a masked model that could also be made to)?"""
    from transformers.models.auto import modeling_auto

    masked = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    kinds = (config.model_type, getattr(text_config(config), "model_type", ""))
    return any(kind in causal and kind not in masked for kind in kinds)


def _composite(model_type: str | None, kind: Any) -> Any:
    from transformers import CONFIG_MAPPING

    names = list(getattr(kind, "sub_configs", None) or ("encoder", "decoder"))
    chosen = {**_PARTS, **_PARTS_OF.get(str(model_type), {})}
    parts = {name: CONFIG_MAPPING[chosen[name]]() for name in names if name in chosen}
    if model_type in ("encoder-decoder", "vision-encoder-decoder", "speech-encoder-decoder"):
        parts["decoder"].is_decoder = parts["decoder"].add_cross_attention = True
    config = kind(**{name: part.to_dict() for name, part in parts.items()})
    if config.is_encoder_decoder:
        config.decoder_start_token_id = parts["decoder"].bos_token_id or 0
    return config
