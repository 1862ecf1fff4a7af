"""A tiny model of any architecture: the same structure, under two million parameters.

From the model's own configuration where there is one, else from the defaults of its type. The
ladder of `shrink` is climbed until a configuration builds (on the meta device, so that nothing
is allocated) and is small enough.
"""

import copy
import importlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from rpgen.errors import ModelUnavailableError, RpgenError
from rpgen.models.completion import Overrides, apply, completed, filled
from rpgen.models.load import built_model, count_parameters
from rpgen.models.quiet import quiet_transformers
from rpgen.models.recipe import Recipe, recipe_of, weights_of
from rpgen.models.seams import joined, text_config
from rpgen.models.shrink import LADDER, VOCABULARY, shrunk
from rpgen.models.shrink_fit import is_consistent

LARGEST_TINY = 2_000_000
_LAST_RESORT = 100_000_000
"""Above this even the smallest form that builds is refused."""

_COMPLETIONS = 9
_OF_NO_STRUCTURE = {"model_type", "architectures", "dtype", "torch_dtype", "transformers_version"}
"""What a configuration says beside its figures."""

_NOTHING: Mapping[str, Any] = {}
_USUAL_SECTIONS = (16, 24, 24)
_SECTIONS_ASKED = re.compile(r"""(get\(|parameters\[)"mrope_section"[\])]""")
_SECTIONS = re.compile(r"\"mrope_section\", \[(\d+), (\d+), (\d+)\]")

_PARTS = {"question_encoder": "DPRConfig", "generator": "BartConfig"}
"""What a composite configuration without defaults is made of, where its example doesn't say."""

_EXAMPLE = re.compile(r">>> (\w+) = (\w+Config)\(\)")


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
            return composite(kind)
        config = kind.from_dict({**figures, "model_type": model_type})
        return config if figures else _with_parts(_as_declared(config))


def _as_declared(config: Any) -> Any:
    """With the parts that the class declares, where its code makes others of them."""
    from transformers import CONFIG_MAPPING

    others: dict[str, Any] = {}
    for name, declared in (getattr(type(config), "sub_configs_defaults", None) or {}).items():
        wanted = getattr(declared, "model_type", None)
        made = getattr(getattr(config, name, None), "model_type", wanted)
        if wanted in CONFIG_MAPPING and made not in (wanted, "timm_backbone"):
            others[name] = CONFIG_MAPPING[wanted](**(declared.init_kwargs or {}))
    return type(config)(**others) if others else config


def _with_parts(config: Any) -> Any:
    """With the parts that a type may have and its defaults leave out: it sees, and hears."""
    from transformers import CONFIG_MAPPING

    absent: dict[str, Any] = {}
    for name, kind in (getattr(type(config), "sub_configs", None) or {}).items():
        if getattr(config, name, kind) is not None:
            continue
        own = getattr(kind, "model_type", None) or _type_of_part(config, name)
        if own in CONFIG_MAPPING:
            absent[name] = CONFIG_MAPPING[own]().to_dict()
    return type(config)(**absent) if absent else config


def _type_of_part(config: Any, name: str) -> str | None:
    """The type that the configuration's code names for a part: "gemma4_vision" for vision."""
    from transformers import CONFIG_MAPPING

    role = name.removesuffix("_config")
    named = re.findall(r"\"(\w+)\"", _text(type(config).__module__))
    fitting = [each for each in named if role in each and each in CONFIG_MAPPING]
    return next(iter(fitting), f"{config.model_type}_{role}")


def tiny_config(
    model_type: str | None, figures: Mapping[str, Any] | None = None, auto_class: str = "AutoModel"
) -> Any:
    """The small configuration, of the type's own class. Raises ModelUnavailableError.

    Without figures, as the database remembers of the type that it works. Those of a model are
    what it differs in: what they leave open is as the database remembers it, and its weights
    begin as those of its type and head that work.
    """
    full = full_config(model_type, figures or {})
    weights = weights_of(model_type, auto_class) if figures else {}
    known, own = recipe_of(model_type), {*(figures or {})} - _OF_NO_STRUCTURE
    if known is not None and not own and known.auto_class == auto_class:
        return step_config(full, figures_of(full), known.rung, {**known.settings, **weights})
    settings = {**_left_open(known, figures or {}), **weights}
    first = known.rung if known is not None and not own else None
    best: Step | None = None
    failures: list[Exception] = []
    for step in steps(full, auto_class, failures, settings, first):
        if step.parameters <= LARGEST_TINY:
            return step.config
        if best is None or step.parameters < best.parameters:
            best = step
    if best is None or best.parameters > _LAST_RESORT:
        smallest = f"the smallest form still has {best.parameters if best else 0} parameters"
        reason = failures[0] if failures else smallest
        raise ModelUnavailableError(
            f"no tiny {model_type} could be made for {auto_class}: {reason}"
        ) from (failures[0] if failures else None)
    return best.config


def _left_open(recipe: Recipe | None, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a type needs, where the figures say nothing in their place."""
    settings = recipe.settings if recipe is not None else {}
    return {path: value for path, value in settings.items() if not _says(figures, path)}


def _says(figures: Any, path: str) -> bool:
    name, _, rest = path.partition(".")
    value = figures.get(name) if isinstance(figures, Mapping) else None
    return _says(value, rest) if rest else value is not None


@dataclass(frozen=True)
class Step:
    """A configuration that builds: which rung of the ladder it is, and what was filled in."""

    rung: int
    settings: Overrides
    config: Any
    parameters: int


def steps(
    full: Any,
    auto_class: str,
    failures: list[Exception],
    settings: Mapping[str, Any] = _NOTHING,
    first: int | None = None,
) -> Iterator[Step]:
    """What builds, rung by rung; `failures` gets what the others raised.

    `settings` are known to be needed from the beginning, and a rung may be known to come `first`.
    """
    figures = figures_of(full)
    for rung in sorted(rungs(figures), key=lambda rung: rung != first):
        try:
            yield completed_step(full, figures, rung, auto_class, dict(settings))
        except (RpgenError, ImportError):
            raise
        except Exception as error:  # noqa: BLE001 (any error means: this form doesn't build)
            failures.append(error)


def completed_step(
    full: Any, figures: Mapping[str, Any], rung: int, auto_class: str, settings: Overrides
) -> Step:
    """One rung, with what its configuration leaves open filled in from the errors."""
    first: Exception | None = None
    for _ in range(_COMPLETIONS):
        config = step_config(full, figures, rung, settings)
        try:
            return Step(rung, settings, config, count_parameters(config, auto_class))
        except ImportError:
            raise
        except Exception as error:  # noqa: BLE001 (raised again where nothing helps)
            first = first or error
            more = completed(config, error, settings)
            if not more:
                raise first from (error if error is not first else None)
            settings = {**settings, **more}
    assert first is not None
    raise first


def step_config(
    full: Any, figures: Mapping[str, Any], rung: int, overrides: Mapping[str, Any]
) -> Any:
    """The configuration of one rung, joined, with values set by path."""
    with quiet_transformers():
        added = _added_tokens(type(full).__module__)
        chosen = replace(LADDER[rung], vocabulary=VOCABULARY + added)
        small = filled(shrunk(figures, chosen), type(full), overrides)
        config = type(full).from_dict(small)
        config.architectures = config.architectures or []
        apply(config, overrides)
        return joined(config, writes_text(config))


@cache
def _added_tokens(configuration_module: str) -> int:
    """How many tokens a type's processor adds to any tokenizer: places and shapes in a picture."""
    name = configuration_module.replace("configuration_", "processing_")
    if "EXTRA_TOKENS" not in _text(name):
        return 0
    return len(getattr(importlib.import_module(name), "EXTRA_TOKENS", ()))


def tiny_model(config: Any, auto_class: str, **how: Any) -> Any:
    """A model of a tiny configuration, with weights from the seed (see `built_model`).

    The configuration is its own: several models of one checkpoint must not share one, as some
    change theirs.
    """
    return built_model(copy.deepcopy(config), auto_class, **how)


def figures_of(full: Any) -> dict[str, Any]:
    """As a dict, with the rotary sections that are written in the model's code only, and
    without tables that the class infers from other figures.

    Nothing of how a checkpoint is quantized: the random weights of a tiny model are not, and a
    configuration that says so does not come back from a save.
    """
    figures: dict[str, Any] = _unquantized(full.to_dict())
    _tell_sections(full, figures)
    known = getattr(type(full), "__dataclass_fields__", figures)
    return {
        key: value
        for key, value in figures.items()
        if key in known or not (isinstance(value, list) and value and isinstance(value[0], list))
    }


def _unquantized(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures without those of a quantization, in the parts too."""
    return {
        key: _unquantized(value) if isinstance(value, dict) and "model_type" in value else value
        for key, value in figures.items()
        if key != "quantization_config"
    }


def _tell_sections(config: Any, figures: dict[str, Any]) -> None:
    from transformers import PreTrainedConfig

    for key, value in vars(config).items():
        if isinstance(value, PreTrainedConfig) and isinstance(figures.get(key), dict):
            _tell_sections(value, figures[key])
    rope = figures.get("rope_parameters")
    if not isinstance(rope, dict) or "vocab_size" not in figures or "rope_theta" not in rope:
        return
    if "mrope_section" in rope:
        return
    source = _source(type(config).__module__)
    found = _SECTIONS.search(source)
    if found is None and _SECTIONS_ASKED.search(source):
        figures["rope_parameters"] = {**rope, "mrope_section": list(_USUAL_SECTIONS)}
    if found:
        figures["rope_parameters"] = {
            **rope,
            "mrope_section": [int(each) for each in found.groups()],
        }


def _source(configuration_module: str) -> str:
    """The text of the modeling module beside a configuration module, without importing it."""
    name = configuration_module.replace("configuration_", "modeling_")
    return _text(name) if name != configuration_module else ""


def _text(module: str) -> str:
    found = importlib.util.find_spec(module)
    return Path(found.origin).read_text("utf-8") if found and found.origin else ""


def rungs(figures: Mapping[str, Any]) -> list[int]:
    """The ladder, with the rungs whose heads come out uneven at its end."""
    even = [is_consistent(shrunk(figures, rung)) for rung in LADDER]
    return sorted(range(len(LADDER)), key=lambda place: not even[place])


def reads_text(config: Any) -> bool:
    return isinstance(getattr(text_config(config), "vocab_size", None), int)


def writes_text(config: Any) -> bool:
    """Does the model generate text (and is not a masked model that could also be made to)?"""
    from transformers.models.auto import modeling_auto

    masked = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    kinds = (config.model_type, getattr(text_config(config), "model_type", ""))
    return any(kind in causal and kind not in masked for kind in kinds)


def composite(kind: Any) -> Any:
    """Of the parts that the example in the documentation of the class is made of:
    `>>> config_encoder = ViTConfig()`."""
    import transformers

    example = _EXAMPLE.findall(kind.__doc__ or "")
    chosen = _PARTS | {re.sub("_?config_?", "", name): part for name, part in example}
    names = list(getattr(kind, "sub_configs", None) or ("encoder", "decoder"))
    kinds = {name: chosen.get(name.removesuffix("_config")) for name in names}
    parts = {name: getattr(transformers, each)() for name, each in kinds.items() if each}
    if {"encoder", "decoder"} <= parts.keys():
        parts["decoder"].is_decoder = parts["decoder"].add_cross_attention = True
    config = kind(**{name: part.to_dict() for name, part in parts.items()})
    if config.is_encoder_decoder:
        start = getattr(parts.get("decoder"), "bos_token_id", None)
        config.decoder_start_token_id = start or 0
    return config
