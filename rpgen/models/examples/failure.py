"""What `forward` raised for a guess: what the rules of repair go by."""

import linecache
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rpgen.models.examples.facts import Facts
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Kind, Spec


@dataclass(frozen=True)
class Failure:
    """What `forward` raised for which inputs."""

    error: BaseException
    facts: Facts
    situation: Situation
    specs: Mapping[str, Spec]

    @property
    def words(self) -> str:
        return str(self.error)

    @property
    def floats(self) -> dict[str, Spec]:
        return {name: spec for name, spec in self.specs.items() if spec.kind is Kind.NORMAL}

    @property
    def line(self) -> str:
        """The line that failed."""
        trace, line = self.error.__traceback__, ""
        while trace is not None:
            line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
            trace = trace.tb_next
        return line

    @property
    def source(self) -> str:
        """The function of the model that failed, by its names: class, arguments, what is in it."""
        trace, words = self.error.__traceback__, ""
        while trace is not None:
            code = trace.tb_frame.f_code
            if "transformers" in code.co_filename:
                own = type(trace.tb_frame.f_locals.get("self")).__name__
                words = " ".join([own, code.co_name, *code.co_varnames])
            trace = trace.tb_next
        return words

    def numbers(self, pattern: str) -> list[int] | None:
        found = re.search(pattern, self.words, re.S)
        return [int(each) for each in found.groups()] if found else None


Rule = Callable[[Failure], Situation | None]
"""What to change, None where the rule has nothing to offer."""


def raised_on_purpose(error: BaseException) -> bool:
    """Whether transformers' own code raised it, in so many words."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    name = trace.tb_frame.f_code.co_filename
    lines = [linecache.getline(name, trace.tb_lineno - back).strip() for back in range(4)]
    return "transformers" in name and any(each.startswith(("raise", "assert")) for each in lines)
