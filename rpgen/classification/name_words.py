"""The words of use in a name, and what they say together where no architecture is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rpgen.classification.name_index import humps
from rpgen.families import Family, Subfamily
from rpgen.heads import split
from rpgen.name_patterns import JUDGES, LANGUAGES, LEARNT, SHARED, TURNING, USES, Word

RUNS = (3, 2, 1)  # words that one use may consist of, the longest first
MIN_ENDING = 5  # letters of a word of use that counts at the end of a longer word
ORDER = (Family.MULTIMODAL, Family.AUDIO, Family.VISION, Family.EMBEDDING, Family.TEXT_GENERATION)
"""Which family a name without an architecture is of where its words say several: who writes
`speech` or `image` means it, while words about text are also said of other models."""


@dataclass(frozen=True)
class Use:
    """A word of use as it stands in a name. `turns`: it may move an architecture to its family."""

    text: str
    word: Word
    turns: bool = False


def uses_in(
    name: str, words: tuple[str, ...], inside: range = range(0), own: str = ""
) -> list[Use]:
    """The words of use in the name, in its order, the longest first, without those inside the
    architecture's own name (`inside`, `own`)."""
    found: list[Use] = []
    start = 0
    while start < len(words):
        length = next((one for one in RUNS if _run(words, start, one) in USES), 0)
        text = _run(words, start, length)
        within = start in inside and start + length - 1 in inside and text != own
        if length and not within:
            found += read(text)
        start += length or 1
    known = set(words)
    hidden = [one for one in humps(name) if _hidden(one) and one not in known]
    found += (use for one in hidden for use in read(one))
    return found if known.isdisjoint(LEARNT) else [one for one in found if one.text not in JUDGES]


def _hidden(hump: str) -> bool:
    """Whether a part of a word counts: short ones only where they tell much, as in `HawkVL`."""
    return hump in USES and (len(hump) > 2 or hump in TURNING)


def _run(words: tuple[str, ...], start: int, length: int) -> str:
    return "".join(words[start : start + length]) if start + length <= len(words) else ""


def read(text: str) -> list[Use]:
    """What a word or run of words says, nothing if it is no word of use."""
    if text not in USES:
        return []
    return [Use(text, word, text in TURNING) for word in SHARED.get(text, (USES[text],))]


def ending_in(words: tuple[str, ...]) -> list[Use]:
    """Words of use at the end of written-together ones: `mineralimage`, `facedetector`."""
    endings = (word[at:] for word in words for at in range(1, len(word) - MIN_ENDING + 1))
    return [use for ending in endings for use in read(ending)]


def languages_in(words: tuple[str, ...]) -> Use | None:
    """Two codes of languages in a row: what translates from one to the other."""
    for one, other in pairwise(words):
        if one != other and one in LANGUAGES and other in LANGUAGES:
            return Use(f"{one}-{other}", Word(Subfamily.SEQ2SEQ, "translation"))
    return None


def language_model_in(words: tuple[str, ...]) -> Use | None:
    """A word that ends as names of language models do: `biomedlm`, `koreanllm`, `heronvlm`."""
    for word in words:
        if len(word) > MIN_ENDING and word.endswith("lm"):
            return read("vlm" if word.endswith("vlm") else "lm")[0]
    return None


def by_votes(uses: Sequence[Use]) -> Use | None:
    """What the words say together: those of one meaning first, by family in `ORDER`; a word
    that fits several families only where no other decides, and `omni` not beside sound."""
    single = [one for one in uses if one.text not in SHARED]
    if any(split(one.word.says)[0] is Family.AUDIO for one in single):
        single = [one for one in single if one.text != "omni"]
    families = [split(one.word.says)[0] for one in single]
    for family in ORDER:
        if family in families:
            return single[families.index(family)]
    return uses[0] if uses else None
