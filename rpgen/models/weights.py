"""Which weights a model is tested with, decided from facts alone.

`auto` takes the first that can be had: the trained ones; random ones of full size where the
model's own configuration is here and they fit; else a tiny model of the same architecture.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from rpgen.errors import ModelUnavailableError
from rpgen.models.hub import HubAnswer
from rpgen.models.local_files import LocalFiles

LARGEST_RANDOM = 1_000_000_000
"""`auto` builds no random model of more parameters than this."""

_MARGIN = 1.3  # what a load takes beyond the weights themselves
_BYTES = 4  # random weights are made in fp32


class Weights(StrEnum):
    AUTO = "auto"
    PRETRAINED = "pretrained"
    RANDOM = "random"
    TINY = "tiny"


@dataclass(frozen=True)
class WeightsFacts:
    """What the choice rests on. `parameters` and `free_mb` are None where they aren't known.

    `from_path` tells a folder or file that somebody named from a hub id; `config_known` says
    that the figures of full size are in the files or in the database.
    """

    name: str
    asked: Weights
    files: LocalFiles
    hub: HubAnswer
    from_path: bool = False
    model_type: str | None = None
    config_known: bool = False
    parameters: int | None = None
    free_mb: float | None = None


@dataclass(frozen=True)
class WeightsChoice:
    """`folder` is None for a pretrained model that has yet to be fetched from the hub."""

    kind: Weights
    reason: str
    folder: Path | None = None
    revision: str | None = None


def choose_weights(facts: WeightsFacts) -> WeightsChoice:
    """Raises ModelUnavailableError where what was asked for can't be had."""
    match facts.asked:
        case Weights.PRETRAINED:
            found = _pretrained(facts)
            if found is None:
                raise ModelUnavailableError(
                    f"{facts.name} can't be had with pretrained weights: {_why_not(facts)}"
                )
            return found
        case Weights.RANDOM:
            if not facts.config_known:
                raise ModelUnavailableError(
                    f"{facts.name} can't be had with random weights: its configuration is "
                    f"neither here nor in the model database; {_why_not(facts)}"
                )
            return _made(facts, Weights.RANDOM, "asked for")
        case Weights.TINY:
            return _tiny(facts, "asked for")
        case Weights.AUTO:
            return _first_that_can_be_had(facts)
        case _:
            assert_never(facts.asked)


def needs_hub(asked: Weights, files: LocalFiles, from_path: bool) -> bool:
    """Is the hub's answer needed at all? Never for a path or for what is here in full."""
    return asked in (Weights.AUTO, Weights.PRETRAINED) and not files.whole and not from_path


def needs_size(facts: WeightsFacts) -> bool:
    """Does it hang on the size of the model? (Telling it may take an import of torch.)"""
    if facts.asked is not Weights.AUTO or facts.files.config is None or facts.files.whole:
        return False
    return facts.hub.found is None and not (facts.from_path and facts.files.torn)


def _first_that_can_be_had(facts: WeightsFacts) -> WeightsChoice:
    if facts.from_path and facts.files.torn:
        raise ModelUnavailableError(f"{facts.name} can't be used: {facts.files.problem}")
    found = _pretrained(facts)
    if found is not None:
        return found
    if facts.hub.found is False:
        raise ModelUnavailableError(f"{facts.name} can't be had: {facts.hub.reason}")
    if facts.files.config is None:
        return _tiny(facts, _why_not(facts))
    obstacle = _why_not_full_size(facts)
    if obstacle:
        return _tiny(facts, f"{_why_not(facts)}; {obstacle}")
    return _made(facts, Weights.RANDOM, _why_not(facts))


def _pretrained(facts: WeightsFacts) -> WeightsChoice | None:
    files = facts.files
    if files.whole:
        place = "the local cache" if files.revision else files.gguf or files.folder
        return WeightsChoice(
            Weights.PRETRAINED, f"whole weights are in {place}", files.folder, files.revision
        )
    if facts.hub.found:
        return WeightsChoice(Weights.PRETRAINED, facts.hub.reason, None, facts.hub.revision)
    return None


def _tiny(facts: WeightsFacts, reason: str) -> WeightsChoice:
    if facts.model_type is None:
        raise ModelUnavailableError(
            f"{facts.name} can't be had: {_why_not(facts)}; and for a tiny model its "
            "architecture must be known (model_type)"
        )
    return _made(facts, Weights.TINY, reason)


def _made(facts: WeightsFacts, kind: Weights, reason: str) -> WeightsChoice:
    return WeightsChoice(kind, reason, facts.files.folder, facts.files.revision)


def _why_not_full_size(facts: WeightsFacts) -> str | None:
    if facts.parameters is None:
        return "how large it is could not be told"
    if facts.parameters > LARGEST_RANDOM:
        return f"at full size it has {facts.parameters / 1e9:.1f} billion parameters"
    needed_mb = facts.parameters * _BYTES * _MARGIN / 2**20
    if facts.free_mb is None:
        return "how much memory is free could not be told"
    if needed_mb > facts.free_mb:
        return f"at full size it needs {needed_mb:.0f} MB and {facts.free_mb:.0f} MB are free"
    return None


def _why_not(facts: WeightsFacts) -> str:
    reasons = [facts.files.problem, None if facts.from_path else facts.hub.reason]
    return "; ".join(reason for reason in reasons if reason) or "no reason was given"
