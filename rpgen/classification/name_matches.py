"""The runs of words in a name that stand for an architecture, a brand or a kind of model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rpgen.classification.name_index import Known, NameIndex
from rpgen.families import Family, Subfamily
from rpgen.heads import split
from rpgen.name_patterns import LEADING, SHARED, USES

MAX_RUN = 6  # words that the name of an architecture may consist of
LENGTHENED = 0.6  # how sure a root inside a longer word is
PREFIX = 4  # letters that a root needs to count at the beginning of a word
LONG = 6  # letters of a word that may be a known name with one letter added
ENDING = 2  # letters that may follow a root inside a word: camemberta, esperberto


@dataclass(frozen=True)
class Match:
    start: int
    length: int
    text: str
    known: Known
    rest: str = ""  # what a root was lengthened by

    @property
    def lengthened(self) -> bool:
        return self.known.confidence == LENGTHENED


def find(words: tuple[str, ...], index: NameIndex) -> list[Match]:
    """The known runs of words, without those inside a longer one, in the order of the name."""
    found: list[Match] = []
    taken: set[int] = set()
    first = next((at for at, word in enumerate(words) if word not in LEADING), 0)
    for length in range(min(MAX_RUN, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            places = range(start, start + length)
            known = index.get(words[start : start + length])
            if known is None or not taken.isdisjoint(places):
                continue
            if start > first and known.only_first(length) and not _backed(known, words):
                continue
            taken.update(places)
            found.append(Match(start, length, "".join(words[start : start + length]), known))
    longer = [
        one
        for one in (*_visual_retrievers(words, index), *_lengthened(words, index))
        if taken.isdisjoint(range(one.start, one.start + one.length))
    ]
    return sorted([*found, *longer], key=lambda one: one.start)


def _backed(known: Known, words: tuple[str, ...]) -> bool:
    """Whether a word of use beside a short name is of its family: `clap` with `music`."""
    others = (USES[one] for one in words if one in USES and one not in SHARED)
    return known.family in [split(one.says)[0] for one in others] and known.family is not None


def _visual_retrievers(words: tuple[str, ...], index: NameIndex) -> Iterator[Match]:
    """ColQwen, ColPali, ColMinistral: retrievers of pages, named by the model they are made of."""
    says = Known(
        *(None, Family.MULTIMODAL, Subfamily.IMAGE_TEXT_ENCODER, LENGTHENED),
        task="visual-document-retrieval",
    )
    for start, word in enumerate(words):
        rest = word.removeprefix("col") if word.startswith("col") else ""
        after = "".join(words[start + 1 : start + 2])
        made_of = rest and (index.named(rest) or index.named(rest + after))
        if made_of and made_of.family in (Family.TEXT_GENERATION, Family.MULTIMODAL):
            yield Match(start, 1, word, says)


def _lengthened(words: tuple[str, ...], index: NameIndex) -> Iterator[Match]:
    """Words that end or begin with a root, such as `biobert` or `distilgpt` `2`."""
    for start, word in enumerate(words):
        after = words[start + 1 : start + 2]
        for length in (3, 2, 1) if word.isalpha() and "".join(after).isdigit() else (1,):
            text = "".join(words[start : start + length])
            root = next((one for one in index.roots if _holds(text, one)), None)
            known = index.root(root) if root else None
            if root is None and length == 1 and len(word) >= LONG:  # molmoe is a molmo
                root, known = word[:-1], index.named(word[:-1])
            if root and known and word.isalpha() and length <= len(words) - start:
                weaker = replace(known, confidence=LENGTHENED, first=False)
                yield Match(start, length, text, weaker, text.replace(root, "", 1))
                break


def _holds(text: str, root: str) -> bool:
    """Whether a word is a root with something before it, or a longer root with something after
    it: biobert, wangchanberta, llamaguard; not `rt` in `art`."""
    if text == root:
        return False
    if len(root) < PREFIX:
        return text.endswith(root)
    at = text.rfind(root)
    return at == 0 or (at > 0 and len(text.rstrip("0123456789")) - at - len(root) <= ENDING)
