"""What the name of a model alone tells.

Everything is matched on whole words, the longest run of words first, so that `distilbert` is
never taken for `bert`, nor `clipseg` for `clip`:

    google/flan-t5-base       flan|t5|base           flan is a beginning that t5 models have
    speecht5_tts              speecht5|tts           speecht5; t5 is no word of its own
    gpt2-image-captioning     gpt2|image|captioning  gpt2, turned by captioning to multimodal
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rpgen.classification.evidence import TEXT_FAMILIES, Clue, clue
from rpgen.classification.name_index import Known, has_size, name_index, tokens
from rpgen.families import Family, Finding, Subfamily
from rpgen.heads import HEADS, split
from rpgen.model_database import Architecture, ModelDatabase
from rpgen.name_patterns import BRANDS, MAKERS, ONLY_FIRST, ROOTS, SHARED, TURNING, USES, Word

MAX_RUN = 6  # words that the name of an architecture may consist of


@dataclass(frozen=True)
class Match:
    start: int
    length: int
    text: str
    known: Known


def from_name(name: str, database: ModelDatabase) -> Iterator[Clue]:
    """One clue: the architecture that the name holds, and the words that turned it."""
    words = tokens(name)
    index = name_index(database)
    matches = find(words, index) or _by_maker(name, index)
    if not matches:
        yield _by_words(name, words, database)
        return
    match = choose(matches)
    halves = _two_halves(matches)
    if halves and match.known.family not in (Family.MULTIMODAL, Family.AUDIO):
        reason = f"the name joins {halves[0].text} and {halves[1].text}"
        use = Word(Subfamily.VISION_LANGUAGE, "image-text-to-text")
        yield _with_type("vision-encoder-decoder", use, 0.65, 0.5, reason, database)
    else:
        yield _turned(match, _uses(name, words, match), database)


def find(words: tuple[str, ...], index: dict[str, Known]) -> list[Match]:
    """The known runs of words, without those inside a longer one, in the order of the name."""
    found: list[Match] = []
    taken: set[int] = set()
    for length in range(min(MAX_RUN, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            places = range(start, start + length)
            text = "".join(words[start : start + length])
            if text not in index or not taken.isdisjoint(places):
                continue
            if start and (text in ONLY_FIRST or (length == 1 and index[text].begins)):
                continue
            taken.update(places)
            found.append(Match(start, length, text, index[text]))
    return sorted(found, key=lambda one: one.start) or list(_lengthened(words, index))[:1]


def _by_maker(name: str, index: dict[str, Known]) -> list[Match]:
    """An architecture in the organisation's name, where the model's own name has none."""
    words = tokens(name.rpartition("/")[0])
    found = [one for one in find(words, index) if not one.known.begins]
    return [replace(one, known=replace(one.known, confidence=0.5)) for one in found[:1]]


def _lengthened(words: tuple[str, ...], index: dict[str, Known]) -> Iterator[Match]:
    """Words that end or begin with a root, such as `biobert` or `distilgpt` `2`."""
    for start in range(len(words)):
        for length in (2, 1):
            text = "".join(words[start : start + length])
            for root in ROOTS:
                begins = text.startswith(root) and len(root) > 3
                if root in index and text != root and (begins or text.endswith(root)):
                    known = index[root]
                    weaker = Known(known.model_type, known.family, known.subfamily, 0.6)
                    yield Match(start, length, text, weaker)


def choose(matches: list[Match]) -> Match:
    """A multimodal name wins, since such models name their language model too, then a name of
    sound, or of what is outside the five families; then an architecture's own name before a
    brand, the first before the others."""
    for family in (Family.MULTIMODAL, Family.AUDIO, None):
        of_family = [one for one in matches if one.known.family is family]
        if of_family:
            return max(of_family, key=lambda one: (one.length, -one.start))
    return max(matches, key=lambda one: (one.known.confidence, -one.start))


def _two_halves(matches: list[Match]) -> tuple[Match, Match] | None:
    """An image encoder followed by a text model: an encoder and a decoder in one."""
    sees = [one for one in matches if one.known.family is Family.VISION and one.known.model_type]
    writes = [one for one in matches if one.known.family is Family.TEXT_GENERATION]
    if sees and writes and sees[0].start < writes[-1].start:
        return sees[0], writes[-1]
    return None


def _turned(match: Match, uses: Sequence[tuple[str, Word]], database: ModelDatabase) -> Clue:
    """The named architecture, with the family and sub-family that the words around it ask for."""
    known = match.known
    use = _fitting(known, uses)
    if use is None:
        reason = f"the name holds {match.text}"
        if known.family is None:
            reason += ", which is outside the five families"
        plain = Word(known.subfamily or known.family) if known.family else None
        return _with_type(known.model_type, plain, known.confidence, 0.5, reason, database)
    text, word = use
    reason = f"the name holds {match.text}" + (f" and {text}" if text != match.text else "")
    if split(word.says)[0] is known.family:
        return _with_type(known.model_type, word, known.confidence, 0.7, reason, database)
    inside = known.model_type  # an embedding model is its backbone; others only hold it
    if split(word.says)[0] is not Family.EMBEDDING:
        inside = "vision-encoder-decoder" if word.task == "image-to-text" else None
    return _with_type(inside, word, min(known.confidence, 0.7), 0.65, reason, database)


def _fitting(known: Known, uses: Sequence[tuple[str, Word]]) -> tuple[str, Word] | None:
    """The first word that turns the architecture, else the first that is of its family."""
    if known.family in TEXT_FAMILIES:
        for text, word in uses:
            family = split(word.says)[0]
            if text not in TURNING or family is known.family:
                continue
            if not (family is Family.EMBEDDING and known.subfamily is Subfamily.SEQ2SEQ):
                return text, word
    for text, word in uses:
        family, subfamily = split(word.says)
        one_of_two = (known.subfamily is Subfamily.SEQ2SEQ) == (subfamily is Subfamily.SEQ2SEQ)
        if family is Family.TEXT_GENERATION and not one_of_two:
            continue
        if family is known.family and (subfamily or word.task):
            return text, word
    return None


def _uses(name: str, words: tuple[str, ...], match: Match | None) -> list[tuple[str, Word]]:
    """The words of use in the name, in its order, without those inside the architecture's own
    name; an organisation that makes one kind of model counts as a word too."""
    own = match.text if match else ""
    inside = range(match.start, match.start + match.length) if match else range(0)
    found: list[tuple[str, Word]] = []
    for start in range(len(words)):
        for length in (3, 2, 1):
            text = "".join(words[start : start + length])
            if length > len(words) - start or text not in USES:
                continue
            if not (start in inside and start + length - 1 in inside and text != own):
                found += [(text, word) for word in SHARED.get(text, (USES[text],))]
            break
    maker = MAKERS.get(name.rpartition("/")[0].lower())
    return [(maker, USES[maker]), *found] if maker else found


def _by_words(name: str, words: tuple[str, ...], database: ModelDatabase) -> Clue:
    """No architecture in the name: the most telling word of use, or a size in billions."""
    uses = _uses(name, words, None)
    if uses:
        brand = next((BRANDS[text] for text, _ in uses if text in BRANDS), None)
        telling = [one for one in uses if one[0] in TURNING and one[0] not in BRANDS]
        text, word = (telling or uses)[0]
        return _with_type(brand, word, 0.5, 0.5, f"the name holds {text}", database)
    if has_size(name):
        reason = "the name gives a size in billions, as language models do"
        return clue("name", Subfamily.CAUSAL_LM, 0.3, reason, task="text-generation")
    told = "-".join(words) or "no letters"
    return clue("name", None, 0.0, f"the name ({told}) holds nothing known")


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
