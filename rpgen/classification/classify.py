"""Which family a model is of, from facts first and from its name last.

The sources, in order: the configuration, sentence-transformers' list of modules, the hub's
pipeline tag, the caller, the database of well-known models, the name. The first that is sure
enough decides; the others raise the confidence where they agree, and stand beside the answer
as findings either way. Hardware is no source: what a model is does not depend on the machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rpgen.classification.evidence import (
    TEXT_FAMILIES,
    Clue,
    fits,
    from_caller,
    from_config,
    from_database,
    from_modules,
    from_tag,
)
from rpgen.classification.name_index import plain_name
from rpgen.classification.names import from_name, head_for
from rpgen.families import Classification, Subfamily
from rpgen.heads import HEAD_OF
from rpgen.model_database import Architecture, ModelDatabase

SURE_ENOUGH = 0.7
HEADLESS = (Subfamily.SENTENCE_TRANSFORMER, Subfamily.CHAT_MODEL, Subfamily.DOCUMENT_QA)
"""Uses that need no head of their own."""
USUAL = 0.6  # how sure a sub-family is that only follows from the architecture
AGREEMENT = 0.25  # the part of the remaining doubt that each agreeing source takes away


@dataclass(frozen=True)
class ModelFacts:
    """What is at hand of a model: `config` and `modules` are config.json and modules.json as
    read, `model_class`, `tasks` and `methods` are what a caller says. Only the name is needed.
    `config_source` says in reasons where the configuration came from."""

    name: str
    config: Mapping[str, Any] | None = None
    modules: Sequence[Any] | None = None
    pipeline_tag: str | None = None
    model_class: str | type | None = None
    tasks: Sequence[str] = ()
    methods: Sequence[str] = ()
    config_source: str = ""


def classify(facts: ModelFacts, database: ModelDatabase) -> Classification:
    """The family, sub-family, type and head of a model, with everything that led there."""
    clues = _clues(facts, database)
    winner = _decisive(clues)
    if winner is None:
        return _unknown(facts, clues)
    family = winner.finding.family
    agreeing = [one for one in clues if one.finding.family is family and one.finding.family]
    model_type = _first(winner, agreeing, "model_type")
    subfamily, sure = _subfamily(winner, agreeing, database.architecture(model_type))
    return Classification(
        model_name=facts.name,
        family=family,
        subfamily=subfamily,
        confidence=_agreed(winner, agreeing),
        subfamily_confidence=sure,
        source=winner.finding.source,
        findings=tuple(one.finding for one in clues),
        model_type=model_type,
        auto_class=_auto_class(winner, agreeing, subfamily, model_type, database),
        task=_task(winner, agreeing, subfamily),
    )


def _clues(facts: ModelFacts, database: ModelDatabase) -> list[Clue]:
    config = list(from_config(facts.config, database))
    if facts.config_source:
        config = [_with_origin(one, facts.config_source) for one in config]
    return [
        *config,
        *from_modules(facts.modules),
        *from_tag("pipeline_tag", facts.pipeline_tag),
        *from_caller(facts.model_class, facts.tasks, facts.methods, database),
        *from_database((facts.name, plain_name(facts.name)), database),
        *from_name(facts.name, database),
    ]


def _with_origin(one: Clue, origin: str) -> Clue:
    return replace(one, finding=replace(one.finding, reason=f"{one.finding.reason} ({origin})"))


def _decisive(clues: Sequence[Clue]) -> Clue | None:
    """The first that is sure enough, else the surest.

    One source comes before the configuration: sentence-transformers' modules around a text
    model. The configuration then describes what is inside (a decoder, maybe); the modules say
    that the whole makes embeddings.
    """
    sure = [one for one in clues if one.finding.confidence >= SURE_ENOUGH]
    modules = next((one for one in sure if one.finding.source == "modules"), None)
    if modules is not None and (sure[0] is modules or sure[0].finding.family in TEXT_FAMILIES):
        return _around(modules, sure[0])
    if sure:
        return sure[0]
    told = [one for one in clues if one.finding.confidence > 0]
    return max(told, key=lambda one: one.finding.confidence, default=None)


def _around(modules: Clue, inside: Clue) -> Clue:
    """The modules with the type of what they are around, and the head that gives its vectors:
    the encoder alone where the configuration names it."""
    encoder = "AutoModelForTextEncoding"
    auto_class = encoder if inside.auto_class == encoder else modules.auto_class
    return replace(modules, model_type=inside.model_type, auto_class=auto_class)


def _agreed(winner: Clue, agreeing: Sequence[Clue]) -> float:
    sources = {one.finding.source for one in agreeing if one.finding.confidence > 0}
    others = len(sources - {winner.finding.source})
    return round(1 - (1 - winner.finding.confidence) * (1 - AGREEMENT) ** others, 3)


def _subfamily(
    winner: Clue, agreeing: Sequence[Clue], known: Architecture | None
) -> tuple[Subfamily | None, float]:
    """The surest sub-family of the winner's family. What an architecture is usually for counts
    only where the head is not known; a chat model is a causal one of which more is known."""
    family = winner.finding.family
    told = [
        one
        for one in agreeing
        if one.sure > 0
        and fits(family, one.finding.subfamily)
        and (one is winner or _possible(one.finding.subfamily, known))
    ]
    if winner.exact:
        told = [one for one in told if one is winner or one.sure > USUAL]
    best = max(told, key=lambda one: one.sure, default=None)
    if best is None:
        return None, 0.0
    if best.finding.subfamily is Subfamily.CAUSAL_LM:
        chat = [one for one in told if one.finding.subfamily is Subfamily.CHAT_MODEL]
        best = max(chat, key=lambda one: one.sure, default=best)
    return best.finding.subfamily, round(best.sure, 3)


def _possible(subfamily: Subfamily | None, known: Architecture | None) -> bool:
    """Whether the architecture has a head for this use: a llama never is a seq2seq model."""
    if known is None or subfamily in HEADLESS:
        return True
    heads = {HEAD_OF[name].subfamily for name in known.auto_classes if name in HEAD_OF}
    return subfamily in heads or subfamily is known.subfamily


def _first(winner: Clue, agreeing: Sequence[Clue], attribute: str) -> Any:
    """The winner's value, else that of the first agreeing source that has one."""
    values = (getattr(one, attribute) for one in (winner, *agreeing))
    return next((value for value in values if value is not None), None)


def _auto_class(
    winner: Clue,
    agreeing: Sequence[Clue],
    subfamily: Subfamily | None,
    model_type: str | None,
    database: ModelDatabase,
) -> str | None:
    """The head to test. What the configuration names is what the weights have; where only a
    type is known, the head follows from the use that other sources tell."""
    if winner.exact and winner.auto_class:
        return winner.auto_class
    same = [one for one in (winner, *agreeing) if one.model_type == model_type and one.auto_class]
    named = next((one.auto_class for one in sorted(same, key=lambda one: not one.exact)), None)
    known = database.architecture(model_type)
    if known is None or subfamily is None or _use_of(named) is subfamily:
        return named or (known.auto_class if known else None)
    return named if any(one.exact for one in same) else head_for(known, subfamily)


def _use_of(auto_class: str | None) -> Subfamily | None:
    """The sub-family that a head by itself stands for."""
    head = HEAD_OF.get(auto_class or "")
    return head.subfamily if head else None


def _task(winner: Clue, agreeing: Sequence[Clue], subfamily: Subfamily | None) -> str | None:
    """The hub's own tag where there is one, else what the deciding source tells."""
    tagged = [one.task for one in agreeing if one.finding.source == "pipeline_tag" and one.task]
    if tagged:
        return tagged[0]
    if subfamily is Subfamily.SENTENCE_TRANSFORMER:
        return "sentence-similarity"
    found: str | None = _first(winner, agreeing, "task")
    return found


def _unknown(facts: ModelFacts, clues: Sequence[Clue]) -> Classification:
    findings = tuple(one.finding for one in clues)
    return Classification(facts.name, None, None, 0.0, 0.0, "none", findings)
