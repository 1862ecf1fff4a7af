"""Which runs of words stand for which architecture or use: made from the model database.

An architecture's own names come first, then the names section (brands, and organisations that
make one kind of model), then the words that documented and well-known ids begin with.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rpgen.families import FAMILY_OF, Family, Subfamily
from rpgen.heads import TAGS, split
from rpgen.model_database import ModelDatabase
from rpgen.name_patterns import NOT_BRANDS, TURNING, USES

MAX_TOKENS = 40
SIZE = re.compile(r"a?\d+(\.\d+)?(x\d+(\.\d+)?)?[bmkt](v\d+)?")
QUANTISED = re.compile(r"[.-](i?q\d\w*|bf16|fp?16|fp?32)$")
VISION_VERSION = re.compile(r"^(r?\d[\d.]*)v$|^v$")  # GLM-4.5V, R1V, MiniCPM-V see
LONE_V = re.compile(r"(?<![a-z\d])v(?=[-_](?:(?:tiny|small|base|large)\b|[a-z](?:[-_]|$)))")
"""A size or a lone letter follows: splade-V-large does not see."""
OMNI = re.compile(r"^o$")  # MiniCPM-o sees and hears
VIT_SIZE = re.compile(r"\bvit[tsbmlhg](?=\d)")  # vitb16, vits8: a ViT with its size
CLASS_NAME = re.compile(r"(?<=[a-z\d])(For(?=[A-Z])|Model$)")  # RoFormerForMaskedLM, RoFormerModel
PARTS = re.compile(r"[^a-z0-9.]+")
STEM, VERSION = re.compile(r"[^a-z]"), re.compile(r"[-_]?v?\d+$")
SEPARATORS = str.maketrans("", "", "-_. ")
CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

OWN_NAME, BRAND, BEGINNING = 0.75, 0.65, 0.7
WELL_KNOWN = 3  # ids of an architecture that make its name one that people lengthen
SHORT = 4  # letters of a name that may be an ordinary word, or an abbreviation


@dataclass(frozen=True)
class Known:
    """What a run of words stands for. `model_type` is None where only the use is known, the
    family where the architecture is outside the five families. `task` is a pipeline tag."""

    model_type: str | None
    family: Family | None
    subfamily: Subfamily | None
    confidence: float
    task: str = ""
    first: bool = False

    def only_first(self, length: int) -> bool:
        """Whether a run of this many words counts at the start of a name only: what is short
        enough for an ordinary word, and a lone word that only begins known ids."""
        return self.first and (length == 1 or self.confidence != BEGINNING)


def plain_name(name: str) -> str:
    """The last part of an id or path, without `.gguf` and the name of a quantisation."""
    return _last_part(name).lower()


def _last_part(name: str) -> str:
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    last = last[: -len(".gguf")] if last.lower().endswith(".gguf") else last
    cut = QUANTISED.search(last.lower())
    return last[: cut.start()] if cut else last


def tokens(name: str) -> tuple[str, ...]:
    """Runs of letters or of digits, without sizes such as 7b, 1.5B, 8x7B, a3b. The name of a class
    ends where its head begins."""
    name = CLASS_NAME.sub(r" \1 ", _last_part(name))
    kept = [
        OMNI.sub("omni", VISION_VERSION.sub(r"\1 vision", part))
        for part in PARTS.split(VIT_SIZE.sub("vit ", LONE_V.sub("", plain_name(name))))
        if not SIZE.fullmatch(part)
    ]
    return tuple(re.findall(r"[a-z]+|\d+", " ".join(kept)))[:MAX_TOKENS]


def humps(name: str) -> tuple[str, ...]:
    """The words inside written-together ones: `cryptoNER` → crypto, ner."""
    return tuple(one.lower() for one in CAMEL.findall(_last_part(name)))[:MAX_TOKENS]


def has_size(name: str) -> bool:
    """Whether the name tells billions of parameters, as names of language models do."""
    parts = PARTS.split(plain_name(name))
    return any(SIZE.fullmatch(part) and part.partition("v")[0][-1] in "bt" for part in parts)


class NameIndex:
    """What runs of words, written together, stand for. Entries are made when they are asked
    for: a command that classifies one name must not pay for all two thousand.

    `makers` are organisations that make one kind of model, `roots` names that people lengthen
    (codellama, biobert), longest first.
    """

    def __init__(self, database: ModelDatabase) -> None:
        self._database = database
        self._own = _own_names(database)
        self._stems = _well_known_stems(database)
        self._found: dict[str, Known | None] = {}
        self._begun: dict[str, dict[str, Known]] = {}
        roots = (one for one in self._stems if len(one) > 1 and one not in TURNING)
        self.roots = tuple(sorted(roots, key=lambda one: (-len(one), one)))

    def get(self, words: tuple[str, ...]) -> Known | None:
        """What a run of words stands for: as a name, or as the beginning of known ids."""
        text = "".join(words)
        return self.named(text) or self._beginnings(words[0]).get(text)

    def named(self, text: str) -> Known | None:
        """What has this name. A word of use that is also an architecture (bge) is none."""
        if text not in self._found:
            self._found[text] = None if text in TURNING else self._make(text)
        return self._found[text]

    def root(self, text: str) -> Known | None:
        """What a root stands for: `gpt` is known as gpt2."""
        return self.named(text) or self.named(f"{text}2")

    def maker(self, organisation: str) -> Known | None:
        says = self._database.raw_names.get(f"{organisation}/")
        return self._named(organisation, says) if says else None

    def inside(self, word: str) -> str | None:
        """The architecture that a word of use stands for as well: bge is a bert."""
        says = self._database.raw_names.get(word)
        return self._own.get(word) if says is None or says in TAGS else says

    def _make(self, text: str) -> Known | None:
        says = self._database.raw_names.get(text)
        if says is not None:
            return self._named(text, says)
        model_type = self._own.get(text)
        if model_type is None:
            return None
        short = len(text) <= SHORT and text.rstrip("0123456789") not in self._stems
        return self._type(model_type, OWN_NAME, first=short)

    def _named(self, name: str, says: str) -> Known:
        """An entry of the names section: a pipeline tag, or a name of an architecture. Its own
        short name there is no ordinary word: it counts anywhere."""
        if says not in TAGS:
            return self._type(says, OWN_NAME if self._own.get(name) == says else BRAND)
        family, subfamily = split(TAGS[says])
        return Known(None, family, subfamily, BRAND, says, first=len(name) <= SHORT)

    def _type(self, model_type: str, confidence: float, first: bool = False) -> Known:
        known = self._database.architecture(model_type)
        if known is None:
            return Known(None, None, None, confidence, first=first)
        return Known(model_type, known.family, known.subfamily, confidence, first=first)

    def _beginnings(self, word: str) -> dict[str, Known]:
        """The words that known ids begin with (`flan-t5`, `smollm2`, `opus-mt`) of those whose
        first word this is, as far as all ids that begin so agree. A beginning ends before a
        word of use and after an architecture."""
        if word not in self._begun:
            groups: dict[str, list[Known]] = {}
            for words, known in self._ids_with(word):
                for text in self._beginnings_of(words):
                    groups.setdefault(text, []).append(known)
            agreed = ((text, _agreed(ones)) for text, ones in groups.items())
            self._begun[word] = {text: known for text, known in agreed if known}
        return self._begun[word]

    def _beginnings_of(self, words: tuple[str, ...]) -> Iterator[str]:
        for length in (1, 2, 3):
            text = "".join(words[:length])
            if length > len(words) or words[length - 1] in USES:
                return
            if self.named(text) is None:
                yield text
            elif not "".join(words[length : length + 1]).isdigit():
                return

    def _ids_with(self, word: str) -> Iterator[tuple[tuple[str, ...], Known]]:
        """The well-known ids that begin with a word, and those that transformers documents an
        architecture with, apart from architectures that are only parts of others."""
        if len(word) < 2 or word in NOT_BRANDS or word in USES:
            return
        for model_id, model_type, raw in _known_ids(self._database):
            words = tokens(model_id) if word in model_id.lower() else ()
            if words and words[0] == word:
                known = self._type(model_type, BEGINNING, first=True)
                yield words, _as_noted(known, raw) if raw else known


@lru_cache(maxsize=8)
def name_index(database: ModelDatabase) -> NameIndex:
    """The names of a database; made once for each."""
    return NameIndex(database)


def _own_names(database: ModelDatabase) -> dict[str, str]:
    """Each architecture's name, as its configuration class and as its type writes it, and the
    type; where several share a name the one that is called so has it."""
    usable = {
        model_type: raw
        for model_type, raw in database.raw_architectures.items()
        if raw.get("auto_class") or raw.get("processors")
    }
    by_class = {
        prefix: model_type
        for model_type, raw in usable.items()
        if len(prefix := _together(raw["config"].removesuffix("Config"))) > 2
    }
    return by_class | {_together(model_type): model_type for model_type in usable}


def _well_known_stems(database: ModelDatabase) -> frozenset[str]:
    """What the types of several well-known ids are called without a version: bert, llama,
    wav2vec, gpt (of gpt2 and of gpt_neo); not depth, of depth_anything, which is no type."""
    types = [str(raw.get("model_type")) for raw in database.raw_models.values()]
    bare = {VERSION.sub("", one) for one in database.raw_architectures}
    counts = Counter(STEM.split(one)[0] for one in types)
    whole = Counter(VERSION.sub("", one) for one in types)
    return frozenset(_together(one) for one in bare if max(counts[one], whole[one]) >= WELL_KNOWN)


@lru_cache(maxsize=8)
def _known_ids(database: ModelDatabase) -> tuple[tuple[str, str, Mapping[str, Any] | None], ...]:
    """(id, type, what is noted of it, None for an id that transformers only documents)."""
    noted = [(one, str(raw.get("model_type")), raw) for one, raw in database.raw_models.items()]
    types = database.raw_architectures
    parts = {part for raw in types.values() for part in raw.get("parts", {}).values()}
    return (
        *noted,
        *(
            (model_id, model_type, None)
            for model_type, raw in types.items()
            if model_type not in parts
            for model_id in raw.get("examples", ())
            if model_id not in database.raw_models
        ),
    )


def _as_noted(known: Known, raw: Mapping[str, Any]) -> Known:
    """A family or sub-family that somebody noted for the id itself."""
    subfamily = Subfamily(raw["subfamily"]) if raw.get("subfamily") else None
    family = Family(raw["family"]) if raw.get("family") else None
    if subfamily is not None and family is None:
        family = FAMILY_OF[subfamily]
    return replace(known, family=family, subfamily=subfamily) if family else known


def _agreed(ones: list[Known]) -> Known | None:
    families = {one.family for one in ones}
    if len(families) != 1:
        return None
    uses = Counter(one.subfamily for one in ones if one.subfamily is not Subfamily.CHAT_MODEL)
    use, count = uses.most_common(1)[0] if uses else (Subfamily.CAUSAL_LM, len(ones))
    most = use if count * 2 > sum(uses.values()) else None
    return Known(_common_type(ones), families.pop(), most, BEGINNING, first=True)


def _common_type(ones: list[Known]) -> str | None:
    """The type that all are of; of sam2 and sam2_video, sam2."""
    types = {one.model_type or "" for one in ones}
    shortest = min(types, key=len)
    return shortest if shortest and all(one.startswith(shortest) for one in types) else None


def _together(text: str) -> str:
    return text.lower().translate(SEPARATORS)
