"""Kinds of input that no call holds beside each other, by the model's own code.

Either transformers refuses them in so many words, or both are written to the places of the
same tokens, so that what comes first is lost, however the text is written.
"""

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rpgen.models.examples.facts import Facts
from rpgen.models.examples.failure import raised_on_purpose
from rpgen.models.examples.guess import mentions
from rpgen.models.examples.kinds import TEXT, kind_of, spoken_of
from rpgen.models.examples.repair_joint import IdleError
from rpgen.models.examples.spec import Spec

if TYPE_CHECKING:
    import torch

ONE_OF_TWO = re.compile(
    r"[Cc]annot specify both|[Ee]xactly one|not both|at the same time|only one of"
)
_PAIR = 2

Apart = tuple[frozenset[str], str]
"""Two kinds, and what shows that they exclude each other."""


def apart(error: BaseException, facts: Facts, specs: Mapping[str, Spec]) -> Apart | None:
    """The two kinds of the call that can't be in one, where the error shows it."""
    if isinstance(error, IdleError):
        return _in_the_same_places(error, facts, specs)
    return _refused(error, facts, specs)


def _refused(error: BaseException, facts: Facts, specs: Mapping[str, Spec]) -> Apart | None:
    """The message is transformers' own and speaks of two arguments that were given, and of no
    other one."""
    words = " ".join(str(error).split())
    if not ONE_OF_TWO.search(words) or not raised_on_purpose(error):
        return None
    named = [name for name in facts.arguments if mentions(name, words)]
    kinds = {kind_of(name) for name in named if name in specs} - {None, TEXT}
    if len(named) != _PAIR or len(kinds) != _PAIR:
        return None
    return frozenset(filter(None, kinds)), f"{type(error).__name__}: {words}"


def _in_the_same_places(error: IdleError, facts: Facts, specs: Mapping[str, Spec]) -> Apart | None:
    kind, given = kind_of(error.name), {kind_of(name) for name in specs}
    masks = _places(facts)
    own = masks.get(kind) if kind else None
    if kind is None or own is None or not own.any():
        return None
    for other in sorted(set(masks) & given - {None, kind}):
        if own.equal(masks[other]):
            told = f"{kind} and {other} go to the same places of a text, whatever its tokens"
            return frozenset({kind, other}), f"{told}: another {kind} changes nothing then"
    return None


def _places(facts: Facts) -> "dict[str, torch.Tensor]":
    """Which tokens of the whole vocabulary stand for each kind: the model is asked itself."""
    import torch

    part = next((p for p in facts.model.modules() if hasattr(p, "get_placeholder_mask")), None)
    if part is None:
        return {}
    known = inspect.signature(part.get_placeholder_mask).parameters
    kinds = [spoken_of(name) for name in known if name.endswith("_features")]
    try:
        table = part.get_input_embeddings()
        ids = torch.arange(table.weight.shape[0], device=table.weight.device)[None]
        with torch.inference_mode():
            found: Any = part.get_placeholder_mask(ids, table(ids))
    except Exception:  # noqa: BLE001 (whatever it is: nothing is shown)
        return {}
    several = found if isinstance(found, tuple) and len(found) == len(kinds) else ()
    return {kind: mask for kind, mask in zip(kinds, several, strict=False) if kind}
