"""What trained weights are known to say: the behaviour that a generated file expects.

Only what is well known of a model by its name; a person edits the rest into the file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rpgen.families import Subfamily

_CAPITAL = "The capital of France is"
_KNOWS_CAPITALS = re.compile(
    r"smollm|llama-?[23]|qwen[23]|mi[sx]tral|phi-?[234]|gemma|olmo|falcon3|granite",
    re.IGNORECASE,
)
_MASKED = re.compile(
    r"(^|/)(bert-(base|large)-(un)?cased|roberta-(base|large)|distilroberta-base"
    r"|distilbert-base-(un)?cased|xlm-roberta-(base|large))$"
)


_NAMES_PLACES = re.compile(r"(^|/)bert-(base|large)-ner(-uncased)?$", re.IGNORECASE)
_TRANSLATES = re.compile(r"^(google-t5/)?t5-(small|base|large|3b)$")
_KNOWS_COLOURS = re.compile(r"(^|/)(clip-vit|siglip2?-)", re.IGNORECASE)
_CLASSES_WITH_CATS = {
    Subfamily.IMAGE_CLASSIFIER: (1000, 1001),  # ImageNet; one more where "background" is the first
    Subfamily.OBJECT_DETECTOR: (80, 91),  # COCO, without or with the numbers that it skips
}
_CAT = re.compile(r"\bcat\b", re.IGNORECASE)
_HEARS_ENGLISH = re.compile(
    r"(^|/)(whisper-(tiny|base|small|medium|large)|wav2vec2-(base|large)-960h|hubert-large-ls960-ft)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Expectations:
    """What is known, None where nothing is.

    `continuation` and `gap`: a text and what follows, or stands in the gap of it. `entity`: a
    text, a name in it and its kind. `translation`: a text and what it becomes. `colours`:
    names that plain pictures are told by. `photo` and `recording`: a file that a person puts
    beside the test, since rpgen ships none, with a word that must be found, and its source.
    """

    continuation: tuple[str, str] | None = None
    gap: tuple[str, str] | None = None
    entity: tuple[str, str, str] | None = None
    translation: tuple[str, str] | None = None
    colours: tuple[str, ...] | None = None
    photo: tuple[str, str, str] | None = None
    recording: tuple[str, str, str] | None = None


_PHOTO = ("000000039769.jpg", "cat", "val2017 of cocodataset.org has it")
_RECORDING = (
    "1272-128104-0000.wav",
    "apostle of the middle classes",
    "LibriSpeech dev-clean has it, as flac",
)


def sees_cats(
    subfamily: str | None, config: Mapping[str, Any] | None, known: Mapping[str, Any]
) -> bool:
    """Does it tell cats from other things? By the names of its classes in its own `config`; where
    that isn't here, by how many the well-known model has (its figures are `known`)."""
    numbers = _CLASSES_WITH_CATS.get(Subfamily(subfamily)) if subfamily else None
    if numbers is None:
        return False
    labels = (config or {}).get("id2label")
    if isinstance(labels, Mapping):
        return len(labels) in numbers and any(_CAT.search(str(each)) for each in labels.values())
    return known.get("num_labels") in numbers


def expectations_of(model: str, subfamily: str | None, cats: bool = False) -> Expectations:
    """By the name that people call the model, whatever folder or file it comes from; `cats`
    where its classes have them."""
    if subfamily in (Subfamily.CAUSAL_LM, Subfamily.CHAT_MODEL) and _KNOWS_CAPITALS.search(model):
        return Expectations(continuation=(_CAPITAL, " Paris"))
    if subfamily == Subfamily.MASKED_LM and _MASKED.search(model):
        return Expectations(gap=(f"{_CAPITAL} {{mask}}.", "Paris"))
    if subfamily == Subfamily.TOKEN_CLASSIFIER and _NAMES_PLACES.search(model):
        return Expectations(entity=("My name is Wolfgang and I live in Berlin.", "Berlin", "LOC"))
    if subfamily == Subfamily.SEQ2SEQ and _TRANSLATES.search(model):
        english = "translate English to German: The house is wonderful."
        return Expectations(translation=(english, "Das Haus ist wunderbar."))
    if subfamily == Subfamily.IMAGE_TEXT_ENCODER and _KNOWS_COLOURS.search(model):
        return Expectations(colours=("red", "green", "blue"))
    if cats:
        return Expectations(photo=_PHOTO)
    if subfamily == Subfamily.SPEECH_RECOGNITION and _HEARS_ENGLISH.search(model):
        return Expectations(recording=_RECORDING)
    return Expectations()
