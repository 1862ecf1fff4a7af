"""Which heads of a type are tried, in which order: by the kinds of input that each takes."""

from collections.abc import Sequence
from typing import Any

from rpgen.errors import RpgenError
from rpgen.models.examples.facts import facts_of_class
from rpgen.models.examples.kinds import KINDS, TEXT, kinds_of
from rpgen.models.load import model_class


def kinds_wanted(inputs: Sequence[str]) -> tuple[str, ...]:
    """What one call should hold of a type that takes text with something else."""
    several = tuple(kind for kind in KINDS if kind in inputs)
    return several if TEXT in several and len(several) > 1 else ()


def heads_of(preferred: str | None, known: Sequence[str], config_class: str = "") -> list[str]:
    """The preferred head first, AutoModel next, then the others as they stand; at the end the
    classes themselves, for types that transformers' own mappings don't lead to."""
    order = [preferred, "AutoModel", *known, *_classes_of(config_class)]
    found = [name for name in order if name and name != "AutoModelForPreTraining"]
    usable = [name for name in found if name in known or not name.startswith("Auto")]
    return list(dict.fromkeys(usable))


def _classes_of(config_class: str) -> list[str]:
    """transformers' model classes that begin like the configuration class is called."""
    import transformers

    stem = config_class.removesuffix("Config")
    names = [n for n in dir(transformers) if stem and n.startswith(stem)]
    return [n for n in names if n.endswith(("Model", "Generation", "LM", "Text2Text")) and
            not n.endswith("PreTrainedModel")]  # fmt: skip


def fullest_heads_first(model_type: str, heads: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those first whose `forward` takes the most of what is wanted: a type's best known head
    may be that of its text part alone. Classes for a part of the type come last."""

    from transformers import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        return list(heads)

    def order(auto_class: str) -> tuple[bool, int]:
        return part_told(model_type, auto_class) != "", lacks(model_type, auto_class, wanted)

    return sorted(heads, key=order)


def lacks(model_type: str, auto_class: str, wanted: Sequence[str]) -> int:
    """How many of the kinds that are wanted the head neither has an argument for nor, handing
    on what it does not name, says that it takes."""
    first = _class_behind(model_type, auto_class)
    if first is None:
        return len(wanted)
    facts = facts_of_class(first)
    said = getattr(first, "input_modalities", None) if facts.takes_more else None
    promised = (said,) if isinstance(said, str) else said or ()
    return len(set(wanted) - {*kinds_of(facts.arguments), *promised})


def kinds_taken(model_type: str, auto_class: str) -> tuple[str, ...]:
    """The kinds that the head has arguments for."""
    first = _class_behind(model_type, auto_class)
    return kinds_of(facts_of_class(first).arguments) if first is not None else ()


def _class_behind(model_type: str, auto_class: str) -> Any:
    """The type's own class that a head leads to; None where there is none, though transformers'
    mapping names one, and for what stands in a class's place where its package is missing."""
    try:
        found = _class_named(model_type, auto_class)
        return found if hasattr(found, "forward") else None
    except (ImportError, ValueError):  # told when it is this head's turn
        return None


def _class_named(model_type: str, auto_class: str) -> Any:
    from transformers import CONFIG_MAPPING

    chosen = _class_of(auto_class)
    mapping = getattr(chosen, "_model_mapping", None)
    if mapping is None or model_type not in CONFIG_MAPPING:
        return chosen if mapping is None else None
    found = mapping.get(CONFIG_MAPPING[model_type], None)
    return found[0] if isinstance(found, tuple) else found


def _class_of(auto_class: str) -> Any:
    try:
        return model_class(auto_class)
    except (ImportError, RpgenError):  # told when it is this head's turn
        return None


def part_told(model_type: str, auto_class: str) -> str:
    """Says that a class is made for a part of the type's configuration; "" where it is not."""
    from transformers import CONFIG_MAPPING

    kind = getattr(_class_of(auto_class), "config_class", None)
    if kind is None or model_type not in CONFIG_MAPPING:
        return ""
    whole = CONFIG_MAPPING[model_type]
    if issubclass(whole, kind):
        return ""
    return f"only a part: {auto_class} is made for {kind.__name__}, a part of {whole.__name__}"


def part_lacking(model_type: str, auto_class: str) -> str:
    """The same, where the whole could be called: then a part is too little."""
    return "" if whole_told(model_type) else part_told(model_type, auto_class)


def whole_told(model_type: str) -> str:
    """Says that nobody calls the type as a whole: its class takes no call of its own, and its
    parts are all that runs; "" where it does."""
    import torch

    whole = _class_behind(model_type, "AutoModel")
    forward = getattr(whole, "forward", None)
    return f"{whole.__name__} has no forward" if forward is torch.nn.Module.forward else ""
