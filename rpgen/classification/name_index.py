"""Which runs of words stand for which architecture: made from the model database.

An architecture's own names come first, then the brands of `rpgen.name_patterns`, then the
words that well-known ids begin with.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rpgen.families import FAMILY_OF, Family, Subfamily
from rpgen.model_database import ModelDatabase
from rpgen.name_patterns import BRANDS, NOT_BRANDS, TURNING, USES

MAX_TOKENS = 40
SIZE = re.compile(r"a?\d+(\.\d+)?(x\d+(\.\d+)?)?[bmk]")
QUANTISED = re.compile(r"[.-](i?q\d\w*|bf16|fp?16|fp?32)$")
VISION_VERSION = re.compile(r"^(\d[\d.]*)v$")  # GLM-4.5V is the version 4.5 that sees
PARTS = re.compile(r"[^a-z0-9.]+")

OWN_NAME, BRAND, BEGINNING = 0.75, 0.65, 0.7


@dataclass(frozen=True)
class Known:
    """What a run of words stands for. `model_type` is None where only the use is known, the
    family where the architecture is outside the five families."""

    model_type: str | None
    family: Family | None
    subfamily: Subfamily | None
    confidence: float

    @property
    def begins(self) -> bool:
        """Whether only the beginnings of well-known ids tell it: a lone word of these counts
        at the start of a name only."""
        return self.confidence == BEGINNING


def plain_name(name: str) -> str:
    """The last part of an id or path, without `.gguf` and the name of a quantisation."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    return QUANTISED.sub("", last.removesuffix(".gguf"))


def tokens(name: str) -> tuple[str, ...]:
    """Runs of letters or of digits, without sizes such as 7b, 1.5B, 8x7B, a3b."""
    kept = [
        VISION_VERSION.sub(r"\1 vision", part)
        for part in PARTS.split(plain_name(name))
        if not SIZE.fullmatch(part)
    ]
    return tuple(re.findall(r"[a-z]+|\d+", " ".join(kept)))[:MAX_TOKENS]


def has_size(name: str) -> bool:
    """Whether the name tells billions of parameters, as names of language models do."""
    parts = PARTS.split(plain_name(name))
    return any(SIZE.fullmatch(part) and part.endswith("b") for part in parts)


@lru_cache(maxsize=8)
def name_index(database: ModelDatabase) -> dict[str, Known]:
    """Run of words, written together → what it stands for."""
    types = {
        model_type: _known(model_type, raw, OWN_NAME)
        for model_type, raw in database.raw_architectures.items()
        if raw.get("auto_class") or raw.get("processors")
    }
    index: dict[str, Known] = {}
    for model_type, known in types.items():
        prefix = _together(database.raw_architectures[model_type]["config"].removesuffix("Config"))
        if len(prefix) > 2:
            index.setdefault(prefix, known)
    index |= {_together(model_type): known for model_type, known in types.items()}
    for brand, model_type in BRANDS.items():
        if model_type in types:
            raw = database.raw_architectures[model_type]
            index[brand] = _known(model_type, raw, BRAND)
    for text, known in _beginnings(database, types, index).items():
        index.setdefault(text, known)
    for word in TURNING & index.keys():
        del index[word]
    return index


def _beginnings(
    database: ModelDatabase, types: dict[str, Known], index: dict[str, Known]
) -> dict[str, Known]:
    """The words that well-known ids begin with (`flan-t5`, `smollm2`, `opus-mt`), as far as all
    ids that begin so agree. A beginning ends before a word of use and after an architecture."""
    groups: dict[str, list[Known]] = {}
    for model_id, raw in database.raw_models.items():
        model_type = raw.get("model_type")
        known = _known(model_type, raw, BEGINNING)
        if known.family is None:
            known = types.get(str(model_type), known)
        words = tokens(model_id)
        for length in (1, 2, 3):
            text = "".join(words[:length])
            if length > len(words) or words[length - 1] in USES or words[0] in NOT_BRANDS:
                break
            if len(text) > 1 and text not in index:
                groups.setdefault(text, []).append(known)
            elif text in index and not "".join(words[length : length + 1]).isdigit():
                break
    agreed = {text: _agreed(ones) for text, ones in groups.items()}
    return {text: known for text, known in agreed.items() if known}


def _agreed(ones: list[Known]) -> Known | None:
    families = {one.family for one in ones}
    if len(families) != 1:
        return None
    types = {one.model_type for one in ones}
    uses = Counter(one.subfamily for one in ones if one.subfamily is not Subfamily.CHAT_MODEL)
    use, count = uses.most_common(1)[0] if uses else (Subfamily.CAUSAL_LM, len(ones))
    model_type = types.pop() if len(types) == 1 else None
    most = use if count * 2 > sum(uses.values()) else None
    return Known(model_type, families.pop(), most, BEGINNING)


def _known(model_type: str | None, raw: dict[str, Any], confidence: float) -> Known:
    subfamily = Subfamily(raw["subfamily"]) if raw.get("subfamily") else None
    family = Family(raw["family"]) if raw.get("family") else None
    if family is None and subfamily is not None:
        family = FAMILY_OF[subfamily]
    return Known(model_type, family, subfamily, confidence)


def _together(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))
