"""What the name of a model alone tells.

Everything is matched on whole words, the longest run of words first, so that `distilbert` is
never taken for `bert`, nor `clipseg` for `clip`:

    google/flan-t5-base       flan|t5|base           flan is a beginning that t5 models have
    speecht5_tts              speecht5|tts           speecht5; t5 is no word of its own
    gpt2-image-captioning     gpt2|image|captioning  gpt2, turned by captioning to multimodal

An architecture's name comes first; words of use turn a text architecture, or choose among the
uses of any other; without an architecture the words decide by themselves (`name_words`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rpgen.classification.evidence import TEXT_FAMILIES, Clue, clue
from rpgen.classification.name_index import (
    Known,
    NameIndex,
    has_size,
    name_index,
    plain_name,
    tokens,
)
from rpgen.classification.name_matches import LENGTHENED, Match, find
from rpgen.classification.name_words import (
    Use,
    by_votes,
    ending_in,
    language_model_in,
    languages_in,
    read,
    uses_in,
)
from rpgen.families import Family, Finding, Subfamily
from rpgen.heads import HEADS, split
from rpgen.model_database import Architecture, ModelDatabase
from rpgen.name_patterns import NLI, QUIETLY, SEES, SHARED, SOUNDS, TALKS, WRITES, Word

UPSCALER = re.compile(r"[1248]x[-_ ]?[a-z]{2}")  # 4x-UltraSharp, 2xNomos; not 8x7b
ENCODES = ("", "zero-shot-image-classification")
HALVES = {
    "text": Word(Family.EMBEDDING, "feature-extraction"),
    "vision": Word(Family.VISION, "image-feature-extraction"),
}
WIDEST_FIRST: tuple[Family | None, ...] = (
    *(Family.MULTIMODAL, Family.AUDIO, Family.VISION, Family.TEXT_GENERATION, Family.EMBEDDING),
    None,
)


def from_name(name: str, database: ModelDatabase) -> Iterator[Clue]:
    """One clue: the architecture that the name holds, and the words that turned it."""
    words = tokens(name)
    index = name_index(database)
    maker = index.maker(name.replace("\\", "/").rpartition("/")[0].lower())
    matches = find(words, index)
    if not matches:
        yield _without_architecture(name, words, maker, index, database)
        return
    match = choose(matches)
    halves = _two_halves(matches, words)
    if halves and match.known.family not in (Family.MULTIMODAL, Family.AUDIO):
        reason = f"the name joins {halves[0]} and {halves[1]}"
        use = Word(Subfamily.VISION_LANGUAGE, "image-text-to-text")
        yield _with_type("vision-encoder-decoder", use, 0.65, 0.5, reason, database)
    elif (half := _half(match, words)) is not None:
        reason = f"the name ends in {words[-1]}: one half of {match.text}"
        yield _with_type(None, half, 0.65, 0.5, reason, database)
    else:
        inside = range(match.start, match.start + match.length)
        uses = uses_in(name, words, inside, match.text)
        uses = [*_of_maker(maker, match.known), *read(match.rest), *uses]
        yield _turned(match, uses, database)


def choose(matches: list[Match]) -> Match:
    """A multimodal name wins, since such models name their language model too, then a name of
    sound, or of what is outside the five families, then a brand of embeddings, which names what
    it is made from; then an architecture's own name before a brand, the first before others."""
    for family in (Family.MULTIMODAL, Family.AUDIO, None):
        of_family = [one for one in matches if one.known.family is family]
        if of_family:
            return max(of_family, key=lambda one: (one.length, -one.start))
    for one in matches:
        if one.known.family is Family.EMBEDDING and one.known.task:
            return one
    return max(matches, key=lambda one: (one.known.confidence, -one.start))


def _two_halves(matches: list[Match], words: tuple[str, ...]) -> tuple[str, str] | None:
    """An image encoder followed by a text model, or by a word of talking: an encoder and a
    decoder in one."""
    sees = next((one for one in matches if one.known.family is Family.VISION), None)
    if sees is None:
        return None
    writes = [one for one in matches if one.known.family is Family.TEXT_GENERATION]
    if sees.known.model_type and writes and sees.start < writes[-1].start:
        return sees.text, writes[-1].text
    talks = next((one for one in words[sees.start + sees.length :] if one in TALKS), None)
    return (sees.text, talks) if talks else None


def _half(match: Match, words: tuple[str, ...]) -> Word | None:
    """What is left of a model of images and text whose name ends in which of the two it takes:
    one tower of a clip, the language model of a gemma."""
    known = match.known
    if match.start + match.length == len(words):
        return None
    if known.model_type in QUIETLY and "text" in words:
        return Word(Subfamily.CAUSAL_LM, "text-generation")
    if known.subfamily is Subfamily.IMAGE_TEXT_ENCODER and known.task in ENCODES:
        return HALVES.get(words[-1])
    return None


def _of_maker(maker: Known | None, known: Known) -> list[Use]:
    """An organisation that makes one kind of model counts as a word: it turns a text model,
    but for those who publish text models of every kind. A brand of one use stays what it is."""
    if maker is None or maker.family is Family.TEXT_GENERATION is not known.family or known.task:
        return []
    says = maker.subfamily or maker.family
    turns = known.family in TEXT_FAMILIES
    return [Use("its maker", Word(says, maker.task), turns)] if says else []


def _turned(match: Match, uses: Sequence[Use], database: ModelDatabase) -> Clue:
    """The named architecture, with the family and sub-family that the words around it ask for."""
    known = match.known
    use = _fitting(known, uses)
    if use is None:
        reason = f"the name holds {match.text}"
        if known.family is None:
            reason += ", which is outside the five families"
        plain = Word(known.subfamily or known.family, known.task) if known.family else None
        return _with_type(known.model_type, plain, known.confidence, 0.5, reason, database)
    reason = f"the name holds {match.text}" + (f" and {use.text}" if use.text != match.text else "")
    family = split(use.word.says)[0]
    if family is known.family:
        return _with_type(known.model_type, use.word, known.confidence, 0.7, reason, database)
    inside = known.model_type  # an embedding model is its backbone; others only hold it
    if family is not Family.EMBEDDING:
        inside = "vision-encoder-decoder" if use.word.task == "image-to-text" else None
    return _with_type(inside, use.word, min(known.confidence, 0.7), 0.65, reason, database)


def _fitting(known: Known, uses: Sequence[Use]) -> Use | None:
    """The word that turns the architecture, the widest family first, else the first word that
    is of its own family."""
    texts = any(split(one.word.says)[0] in TEXT_FAMILIES for one in uses)
    turning = [one for one in uses if _turns(known, one, texts)]
    if turning:
        return min(turning, key=lambda one: WIDEST_FIRST.index(split(one.word.says)[0]))
    for one in uses:
        family, subfamily = split(one.word.says)
        one_of_two = (known.subfamily is Subfamily.SEQ2SEQ) == (subfamily is Subfamily.SEQ2SEQ)
        if family is Family.TEXT_GENERATION and not one_of_two:
            continue
        if family is known.family and (subfamily or one.word.task):
            return one
    return None


def _turns(known: Known, use: Use, texts: bool) -> bool:
    """Whether a word of use moves an architecture to another family. `texts`: another word says
    that the model is about text."""
    family, subfamily = split(use.word.says)
    if family is known.family or known.family is None:
        return False
    if use.text in SHARED and family is not Family.EMBEDDING:
        return False  # `classification` alone is no reason to take a bert for anything else
    if known.family is Family.VISION:  # a vision transformer says only that it sees
        if use.text.startswith(SOUNDS):
            return family is Family.AUDIO
        return family is Family.MULTIMODAL and use.turns and use.text not in SEES
    if known.model_type in QUIETLY and family is Family.EMBEDDING:
        return use.turns and (subfamily is not None or use.word.task == "text-ranking")
    if known.family not in TEXT_FAMILIES:
        return False
    if family is Family.EMBEDDING and known.subfamily is Subfamily.SEQ2SEQ:
        embeds = subfamily is Subfamily.SENTENCE_TRANSFORMER and use.text not in WRITES
        return embeds or use.text in NLI
    if family is Family.TEXT_GENERATION:
        return subfamily is Subfamily.SEQ2SEQ and use.turns
    weak = known.confidence == LENGTHENED and not texts
    return use.turns or (weak and family not in TEXT_FAMILIES)


def _without_architecture(
    name: str,
    words: tuple[str, ...],
    maker: Known | None,
    index: NameIndex,
    database: ModelDatabase,
) -> Clue:
    """No architecture in the name: telling words, the organisation, other words, a size."""
    uses = uses_in(name, words)
    if UPSCALER.match(plain_name(name)):
        task = Word(Family.VISION, "image-to-image")
        return _with_type(None, task, 0.5, 0.5, "the name tells how much it enlarges", database)
    telling = _telling(uses)
    if telling is None and maker is not None:
        reason = "its organisation makes this kind of model"
        says = maker.subfamily or maker.family
        word = Word(says, maker.task) if says else None
        return _with_type(None, word, 0.5, 0.5, reason, database)
    of_maker = name.rpartition("/")[0]
    use = telling or _telling(uses_in(of_maker, tokens(of_maker))) or by_votes(uses)
    use = use or languages_in(words) or by_votes(ending_in(words)) or language_model_in(words)
    if use is not None:
        brand = next((found for one in uses if (found := index.inside(one.text))), None)
        return _with_type(brand, use.word, 0.5, 0.5, f"the name holds {use.text}", database)
    by_name = _by_makers_name(name, index)
    if by_name is not None:
        return _turned(by_name, (), database)
    if has_size(name):
        reason = "the name gives a size in billions, as language models do"
        return clue("name", Subfamily.CAUSAL_LM, 0.3, reason, task="text-generation")
    told = "-".join(words) or "no letters"
    return clue("name", None, 0.0, f"the name ({told}) holds nothing known")


def _telling(uses: Sequence[Use]) -> Use | None:
    return by_votes([one for one in uses if one.turns and one.text not in SHARED])


def _by_makers_name(name: str, index: NameIndex) -> Match | None:
    """An architecture in the organisation's name, where the model's own name has none."""
    words = tokens(name.rpartition("/")[0])
    found = [one for one in find(words, index) if not one.known.first and not one.lengthened]
    return replace(found[0], known=replace(found[0].known, confidence=0.5)) if found else None


def _with_type(
    model_type: str | None,
    word: Word | None,
    confidence: float,
    sure: float,
    reason: str,
    database: ModelDatabase,
) -> Clue:
    """A clue with the head of the architecture that serves the use."""
    family, subfamily = split(word.says) if word else (None, None)
    task = word.task if word else ""
    finding = Finding("name", family, subfamily, confidence, reason)
    known = database.architecture(model_type)
    if known is None:
        return Clue(finding, sure if subfamily else 0.0, None, None, task or None)
    auto_class = head_for(known, subfamily, task)
    if not task and auto_class == known.auto_class:
        task = known.tasks[0] if known.tasks else ""
    return Clue(finding, sure if subfamily else 0.0, model_type, auto_class, task or None)


def head_for(known: Architecture, subfamily: Subfamily | None, task: str = "") -> str | None:
    """The head of an architecture that serves a use, its preferred one where none does."""
    if subfamily is Subfamily.SENTENCE_TRANSFORMER or task == "sentence-similarity":
        wanted = "AutoModelForTextEncoding" if known.subfamily is Subfamily.SEQ2SEQ else "AutoModel"
        return wanted if wanted in known.auto_classes else known.auto_class
    task = "text-classification" if task == "text-ranking" else task
    heads = [head for head in HEADS if head.auto_class in known.auto_classes]
    by_task = [head.auto_class for head in heads if task and head.task == task]
    by_use = [head.auto_class for head in heads if subfamily and head.subfamily is subfamily]
    for fitting in (by_task, by_use):
        if fitting:
            return known.auto_class if known.auto_class in fitting else fitting[0]
    return known.auto_class
