"""The rules that recognise on which ground a check may be left out of an architecture's file.

That a check failed is no ground. Each is recognised by a rule, from what was said and
from the model itself; where it can be proven (the same choices give the same result, nothing
comes of a changed weight) it is. What no rule recognises is a failed check, and stays in the
file.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rpgen import checks
from rpgen.checks import caching, evidence, padding
from rpgen.checks.running import run
from rpgen.checks.tensors import named_tensors
from rpgen.grounds import Explained, Ground
from rpgen.models.examples.failure import raised_on_purpose

_NEW_TOKENS = 4

_OTHER_CHANNEL = re.compile("channel [1-9]")

Rule = Callable[[str, BaseException, Any], "Explained | None"]


def explained(check: str, said: str, error: BaseException, one: Any) -> Explained | None:
    """Why the check may be left out; None where no rule recognises what it said."""
    for rule in (*_WORDED.get(check, ()), *_PROVEN.get(check, ())):
        found = rule(said, error, one)
        if found is not None:
            return found
    return None


def _worded(pattern: str, ground: Ground) -> Rule:
    """A rule for what can't be but by design, as the message has it in so many words."""

    def rule(said: str, error: BaseException, one: Any) -> Explained | None:
        return Explained(ground, said) if re.search(pattern, said) else None

    return rule


def _in_same_choices(check: str) -> Rule:
    def rule(said: str, error: BaseException, one: Any) -> Explained | None:
        if not isinstance(error, AssertionError):
            return None
        told = evidence.by_choices(check, one)
        return Explained(Ground.CHOICE, told) if told else None

    return rule


def _loaded_so(check: str) -> Rule:
    def rule(said: str, error: BaseException, one: Any) -> Explained | None:
        if isinstance(error, AssertionError):
            return None
        told = evidence.fails_when_loaded(check, one)
        return Explained(Ground.ONE_TYPE, told) if told else None

    return rule


def _sensitive(check: str) -> Rule:
    def rule(said: str, error: BaseException, one: Any) -> Explained | None:
        if not isinstance(error, AssertionError):
            return None
        told = evidence.sensitive(check, one)
        return Explained(Ground.SENSITIVE, told) if told else None

    return rule


def _by_masks(check: Callable[[Any], None]) -> Rule:
    def rule(said: str, error: BaseException, one: Any) -> Explained | None:
        if not isinstance(error, AssertionError):
            return None
        told = evidence.by_masks(lambda: check(one), one)
        return Explained(Ground.MASKS, told) if told else None

    return rule


def _attends(one: Any) -> None:
    checks.assert_attention_implementations_agree(one.model, one.inputs)


def _gives_its_layers(one: Any) -> None:
    checks.assert_promised_outputs(one.model, one.inputs)


def _looks_back(one: Any) -> None:
    checks.assert_no_look_ahead(one.model, one.inputs, last=4)


def _draws(said: str, error: BaseException, one: Any) -> Explained | None:
    return Explained(Ground.DRAWS, said) if evidence.draws(one) else None


def _both_ways(said: str, error: BaseException, one: Any) -> Explained | None:
    if "labels" in one.inputs:
        return None  # the text in question is the one that the decoder writes
    told = evidence.reads_both_ways(one.model)
    return Explained(Ground.BOTH_WAYS, told) if told else None


def _untold(said: str, error: BaseException, one: Any) -> Explained | None:
    told = isinstance(error, AssertionError) and caching.counts_when_told(one)
    return Explained(Ground.UNTOLD, told) if told else None


def _anew(said: str, error: BaseException, one: Any) -> Explained | None:
    told = isinstance(error, AssertionError) and caching.starts_anew(one)
    return Explained(Ground.ANEW, told) if told else None


def _unmasked(said: str, error: BaseException, one: Any) -> Explained | None:
    of_text = isinstance(error, AssertionError) and "input_ids" in one.inputs
    told = of_text and (padding.takes_no_notice(one) or padding.pools_the_last(one))
    return Explained(Ground.UNMASKED, told) if told else None


def _continued_unmasked(said: str, error: BaseException, one: Any) -> Explained | None:
    told = padding.generates_without_notice(one, _NEW_TOKENS)
    return Explained(Ground.UNMASKED, told) if told else None


def _packed(said: str, error: BaseException, one: Any) -> Explained | None:
    if not isinstance(error, AssertionError):
        return None
    given = next((len(value) for _, value in named_tensors(one.inputs)), 0)
    found = len(checks.main_output(run(one.model, one.inputs)))
    told = f"an output of {found} for a batch of {given}"
    return Explained(Ground.PACKED, told) if 0 < found < given else None


def _convolved(said: str, error: BaseException, one: Any) -> Explained | None:
    of_text = isinstance(error, AssertionError) and padding.MASK in one.inputs
    told = of_text and padding.through_convolutions(one.again, one)
    return Explained(Ground.JOINED, told) if told else None


def _pooled(said: str, error: BaseException, one: Any) -> Explained | None:
    of_text = isinstance(error, AssertionError) and "input_ids" in one.inputs
    told = of_text and padding.pools_neighbours(one)
    return Explained(Ground.JOINED, told) if told else None


def _grey(said: str, error: BaseException, one: Any) -> Explained | None:
    told = evidence.reads_grey(one.model) if _OTHER_CHANNEL.match(said) else None
    return Explained(Ground.UNUSED, told) if told else None


def _without_gradient(said: str, error: BaseException, one: Any) -> Explained | None:
    """Each stack that was missed must be explained."""
    names = getattr(error, "missed", ())
    if not names:
        return None
    told = list(_stacks(names, one))
    if any(each is None for each in told):
        return None
    found = [each for each in told if each is not None]
    words = "; ".join(dict.fromkeys(each.said for each in found))
    return Explained(found[0].ground, words)


def _stacks(names: tuple[str, ...], one: Any) -> Iterator[Explained | None]:
    detached = evidence.detached(names, one)
    for name in names:
        if name in detached:
            yield Explained(Ground.DETACHED, f"{name} gets one where detach() is taken out")
        else:
            told = evidence.has_no_say(name, one)
            ground = Ground.CHOICE if told and "choice" in told else Ground.UNUSED
            yield Explained(ground, told) if told else None


def _configuration(said: str, error: BaseException, one: Any) -> Explained | None:
    if "the configuration says" not in said:
        return None
    config, model = one.model.config, one.model
    alone = evidence.changes_in_its_own_copy(config) or evidence.changes_when_built(model)
    return Explained(Ground.CONFIGURATION, said) if alone else None


def _breaks(said: str, error: BaseException, one: Any) -> Explained | None:
    if isinstance(error, AssertionError) or not evidence.breaks_when_asked(one):
        return None
    return Explained(Ground.BREAKS, said)


def _refused(said: str, error: BaseException, one: Any) -> Explained | None:
    return Explained(Ground.REFUSED, said) if raised_on_purpose(error) else None


def _of_half(check: str) -> tuple[Rule, ...]:
    return (_in_same_choices(check), _loaded_so(check), _sensitive(check), _draws)


_WORDED: Mapping[str, tuple[Rule, ...]] = {
    "draws": (_worded("drew random numbers", Ground.DRAWS),),
    "layers": (
        _worded("no output is declared for them", Ground.UNDECLARED),
        _worded("unexpected keyword argument 'output_hidden_states'", Ground.UNDECLARED),
        _worded(r"were asked for, and stay empty$", Ground.EMPTY),
        _worded(r"asked for, and [\w., ]+ stay empty$", Ground.EMPTY),
        _worded("no map of queries and keys", Ground.NO_WEIGHTS),
        _worded("no distribution: it holds negative values", Ground.NO_WEIGHTS),
        _worded("a share of a distribution", Ground.SHARE),
        _worded(r"\d+ tensors for \d+ layers", Ground.OWN_COUNT),
        _worded(r"has shape .*, the first", Ground.RESHAPED),
    ),
    "attention": (_worded("is written in one way only", Ground.ONE_WAY),),
    "gradients": (_worded("modified by an inplace operation", Ground.IN_PLACE),),
    "rows": (_worded("no output has an entry for each row", Ground.PACKED),),
    "ends": (_worded("multiple values for keyword argument 'eos_token_id'", Ground.REFUSED),),
    "cache": (_worded("has no attribute 'past_key_values'", Ground.UNDECLARED),),
}

_PROVEN: Mapping[str, tuple[Rule, ...]] = {
    "saving": (_configuration,),
    "layers": (_breaks, _by_masks(_gives_its_layers)),
    "attention": (_by_masks(_attends), _in_same_choices("attention"), _draws),
    "gradients": (_without_gradient, _refused),
    "rows": (_draws,),
    "look_ahead": (_both_ways, _by_masks(_looks_back), _draws),
    "cache": (_both_ways, _draws, _untold, _anew, _refused),
    "cached generation": (_both_ways, _untold, _anew),
    "channels": (_grey,),
    "alone": (_draws, _packed, _unmasked, _convolved, _pooled),
    "continued alone": (_continued_unmasked, _unmasked),
    "bf16": _of_half("bf16"),
    "fp16": _of_half("fp16"),
}
