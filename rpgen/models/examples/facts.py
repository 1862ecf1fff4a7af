"""What a model tells about itself: the arguments of `forward`, and figures of its configuration."""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from rpgen.models.examples.kinds import TEXT, carriers, companions, kinds_of
from rpgen.models.seams import text_config

_VISION = (
    "vision_config", "vision", "encoder", "backbone_config", "image_config", "vit_config",
    "vision_encoder_config", "vqmodel_config", "vq_config",
)  # fmt: skip
_AUDIO = (
    "audio_config", "encoder_config", "audio_encoder_config", "speech_config",
    "audio_tower_config", "encoder", "audio_encoder", "codec_config",
)  # fmt: skip
_TOKEN = re.compile(r"token(s?_id|_ids|_index|_idx|_list)?s?$|_token_|_ids?$|_index$")
_LARGEST_ID = 10_000_000


@lru_cache(maxsize=8)
def code_of(module: str) -> str:
    """The text of a module that is loaded, as the one that a model's class is written in."""
    return inspect.getsource(sys.modules[module])


@dataclass(frozen=True)
class Argument:
    """One argument of `forward`. `shape` are the words of its documentation."""

    name: str
    required: bool
    shape: tuple[str, ...] | None
    text: str


@dataclass(frozen=True)
class Facts:
    """A model, its configuration and its arguments by name."""

    model: Any
    config: Any
    arguments: Mapping[str, Argument]
    takes_more: bool = False
    """Whether `forward` hands further arguments by name on to its parts."""
    patches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By argument: the documented shape of pixels that come as patches, `3 * patch_size ** 2`."""

    def has(self, *names: str) -> bool:
        return any(name in self.arguments for name in names)

    @property
    def main_inputs(self) -> tuple[str, ...]:
        given = self.model.main_input_name
        names = given if isinstance(given, list | tuple) else (given,)
        return tuple(name for name in names if name in self.arguments)

    @property
    def vision(self) -> Any:
        return part(self.config, *_VISION) or self.config

    @property
    def audio(self) -> Any:
        return part(self.config, *_AUDIO) or self.config

    def number(self, *names: str, default: int, place: Any = None) -> int:
        """The first of these figures in the configuration, from `place` down."""
        value = figure(place if place is not None else self.config, *names)
        if value is None and place is not None:
            value = figure(self.config, *names)
        return first(value) if value is not None else default

    @property
    def vocabulary(self) -> int:
        own = getattr(text_config(self.config), "vocab_size", None)
        return first(own) if own else self.number("vocab_size", default=32)

    def special_ids(self) -> frozenset[int]:
        """Every id that means something: ends, padding, places of an image."""
        found: set[int] = set()
        for node in walk(self.config):
            for key, value in vars(node).items():
                if "token" in key and _TOKEN.search(key):
                    several = value if isinstance(value, list | tuple) else [value]
                    found.update(i for i in several if type(i) is int and 0 <= i < _LARGEST_ID)
        return frozenset(found)


def facts_of(model: Any) -> Facts:
    found = facts_of_class(model)
    arguments = found.arguments
    if found.takes_more and kinds_of(arguments) == (TEXT,):
        arguments = {**arguments, **_handed_on(model)}
    patches = _patches(model, arguments)
    return replace(found, model=model, config=model.config, arguments=arguments, patches=patches)


def _handed_on(model: Any) -> dict[str, Argument]:
    """What the outermost part that reads a text with something else takes beside the text: a
    model that takes text alone by name hands it on."""
    for part_ in getattr(model, "modules", list)():
        inner = facts_of_class(part_).arguments if hasattr(part_, "main_input_name") else {}
        others = carriers(inner)
        if others and TEXT in kinds_of(inner):
            described = {each for other in others.values() for each in companions(other)}
            return {n: inner[n] for n in inner if n in {*others.values(), *described}}
    return {}


def facts_of_class(kind: Any) -> Facts:
    """What is known before there is a model: its arguments, and no configuration."""
    signature = inspect.signature(kind.forward)
    documentation = kind.forward.__doc__ or ""
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    arguments = {
        name: _argument(name, parameter, documentation)
        for name, parameter in signature.parameters.items()
        if parameter.kind in plain and name != "self"
    }
    more = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.parameters.values())
    return Facts(kind, None, arguments, more)


_OF_A_PATCH = re.compile(r"patch.*(\*| x )|(\*| x ).*patch")


def _patches(model: Any, arguments: Mapping[str, Argument]) -> dict[str, tuple[str, ...]]:
    """The part that sees may tell more of the shape of pixels than the whole model does."""
    pixels = [name for name in arguments if name.startswith(("pixel_values", "image_patches"))]
    parts = {type(part) for part in model.modules() if hasattr(part, "main_input_name")}
    documented = sorted((kind.__name__, kind.forward.__doc__ or "") for kind in parts)
    found: dict[str, tuple[str, ...]] = {}
    for name in pixels:
        for _, words in documented:
            shape = _shape(name, words)
            if shape is not None and any(_OF_A_PATCH.search(word) for word in shape):
                found.setdefault(name, shape)
    return found


def walk(config: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """The configuration and every configuration within it."""
    from transformers import PreTrainedConfig

    seen = set() if seen is None else seen
    if id(config) in seen:
        return
    seen.add(id(config))
    yield config
    for value in list(vars(config).values()):
        several = value if isinstance(value, list | tuple) else [value]
        for each in several:
            if isinstance(each, PreTrainedConfig):
                yield from walk(each, seen)


def figure(config: Any, *names: str, kinds: tuple[type, ...] = (int, list, tuple)) -> Any:
    """The first of these attributes that is set anywhere in the tree; None without one."""
    for name in names:
        for node in walk(config):
            known = name in vars(node) or name in (getattr(node, "attribute_map", None) or {})
            value = getattr(node, name, None) if known else None
            usable = isinstance(value, kinds) and not isinstance(value, bool)
            if usable and not (isinstance(value, list | tuple) and not _numbers(value)):
                return value
    return None


def part(config: Any, *names: str) -> Any:
    """The first of these parts, wherever in the tree; None without one."""
    from transformers import PreTrainedConfig

    for name in names:
        for node in walk(config):
            value = vars(node).get(name)
            if isinstance(value, PreTrainedConfig):
                return value
    return None


def first(value: Any, place: int = 0) -> int:
    """A figure, or the one at `place` of several."""
    if isinstance(value, list | tuple):
        return int(value[place] if len(value) > place else value[0])
    return int(value)


def _numbers(values: Any) -> bool:
    return bool(values) and all(type(value) is int for value in values)


def _argument(name: str, parameter: inspect.Parameter, documentation: str) -> Argument:
    words = _shape(name, documentation)
    told = _type(name, documentation)
    return Argument(
        name, parameter.default is parameter.empty, words, told or _annotated(parameter)
    )


def _annotated(parameter: inspect.Parameter) -> str:
    given = parameter.annotation
    return "" if given is parameter.empty else getattr(given, "__name__", str(given))


def _type(name: str, documentation: str) -> str:
    found = re.search(rf"^\s*`?{re.escape(name)}`?\s*\((.*)\)\s*:", documentation, re.M)
    return found[1] if found else ""


def _shape(name: str, documentation: str) -> tuple[str, ...] | None:
    shape = re.search(r"of shape\s*`*\(([^`]*?)\)`*", _type(name, documentation))
    return tuple(w.strip() for w in shape[1].split(",") if w.strip()) if shape else None
