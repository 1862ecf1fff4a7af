"""What trained weights are known to say: the behaviour that a generated file expects.

Only what is well known of a model by its name; a person edits the rest into the file.
"""

import re
from dataclasses import dataclass

from rpgen.families import Subfamily

_CAPITAL = "The capital of France is"
_KNOWS_CAPITALS = re.compile(
    r"smollm|llama-?[23]|qwen[23]|qwen2\.5|mistral|mixtral|phi-?[234]|gemma|olmo|falcon3|granite",
    re.IGNORECASE,
)
_MASKED = re.compile(
    r"(^|/)(bert-(base|large)-(un)?cased|roberta-(base|large)|distilroberta-base"
    r"|distilbert-base-(un)?cased|xlm-roberta-(base|large))$"
)


@dataclass(frozen=True)
class Expectations:
    """A text and what follows, or stands in the gap of it; None where nothing is known."""

    continuation: tuple[str, str] | None = None
    gap: tuple[str, str] | None = None


def expectations_of(model: str, subfamily: str | None) -> Expectations:
    """By the name that people call the model, whatever folder or file it comes from."""
    if subfamily in (Subfamily.CAUSAL_LM, Subfamily.CHAT_MODEL) and _KNOWS_CAPITALS.search(model):
        return Expectations(continuation=(_CAPITAL, " Paris"))
    if subfamily == Subfamily.MASKED_LM and _MASKED.search(model):
        return Expectations(gap=(f"{_CAPITAL} {{mask}}.", "Paris"))
    return Expectations()
