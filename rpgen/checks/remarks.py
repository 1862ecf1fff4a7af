"""What transformers' own code says of a model, in a comment or by itself."""

import re

from rpgen.models.examples.facts import code_of


def remark(kind: type, pattern: re.Pattern[str]) -> str | None:
    """What a pattern's first group finds in the code of the module that `kind` is of, in one line;
    None where it finds nothing, or the class is not of transformers."""
    if not kind.__module__.startswith("transformers."):
        return None
    found = pattern.search(code_of(kind.__module__))
    return " ".join(found[1].split()) if found else None
