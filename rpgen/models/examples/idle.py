"""Whether every kind of input of a joint call has a say in the result."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rpgen.models.examples.facts import Facts
from rpgen.models.examples.repair_joint import IdleError
from rpgen.models.examples.spec import Kind, Spec, draw, placed

if TYPE_CHECKING:
    import torch


def idle(model: Any, facts: Facts, specs: Mapping[str, Spec], names: set[str]) -> IdleError | None:
    """The first of `names` that may be another and changes nothing; None where each matters."""
    import torch

    from rpgen.models.quiet import seeded

    special = facts.special_ids()
    given, other = (placed(draw(specs, seed, special), model) for seed in (0, 1))
    drawn = sorted(n for n in names if specs[n].kind in (Kind.NORMAL, Kind.TOKENS))

    def said(inputs: Mapping[str, Any]) -> "list[torch.Tensor]":
        with seeded(0), torch.inference_mode():
            return list(_floating(model(**inputs)))

    before = said(given) if drawn else []
    for name in drawn:
        after = said({**given, name: other[name]})
        if len(after) == len(before) and all(map(torch.equal, before, after)):
            return IdleError(name)
    return None


def _floating(output: Any) -> "Iterator[torch.Tensor]":
    import torch

    if isinstance(output, torch.Tensor):
        if output.is_floating_point():
            yield output
        return
    several = output.values() if isinstance(output, Mapping) else output
    if isinstance(output, Mapping | list | tuple):
        for each in several:
            yield from _floating(each)
