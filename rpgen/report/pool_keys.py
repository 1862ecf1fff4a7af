"""What a key of the pool says, for people.

embedding:bert@cpu,fp32,auto_class=AutoModel,on=openvino,weights=tiny
bert   embedding, cpu, fp32, AutoModel, on openvino, tiny
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rpgen.placement.targets import TORCH

_MARKS = re.compile(rf"@(?=(?:(?:{'|'.join(TORCH)})\b|split |\w+=)[^@]*$)")
_TELLING_ALONE = {"auto_class", "weights"}
_TOKENIZER = "tokenizer:"


@dataclass(frozen=True)
class Named:
    """A thing in the pool. `told` is what else its key says of it, first of what type it is."""

    name: str
    told: tuple[str, ...] = ()

    def beside(self, *known: str | None) -> str:
        """The rest, where some of it is said already."""
        return ", ".join(word for word in self.told if word not in known)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.told)})" if self.told else self.name


def read_key(key: str) -> Named:
    """The name in a key, and what sets this instance apart from others of the name.

    >>> str(read_key("vision:google/vit@cuda:0,fp16,on=openvino:HETERO:GPU,CPU"))
    'google/vit (vision, cuda:0, fp16, on openvino:HETERO:GPU,CPU)'
    """
    found = _MARKS.search(key)
    plain, marks = (key[: found.start()], key[found.end() :]) if found else (key, "")
    tokenizer = plain.startswith(_TOKENIZER) and plain.count(":") > 1
    kind, _, name = plain.removeprefix(_TOKENIZER if tokenizer else "").partition(":")
    if not name:
        return Named(kind or key, tuple(_words(marks)))
    kinds = (f"{kind} tokenizer",) if tokenizer else (kind,)
    return Named(name, (*kinds, *_words(marks)))


def _words(marks: str) -> Iterator[str]:
    """A comma inside of a value is no end of it: only a name and "=" begin another one."""
    options = re.search(r"\w+=", marks)
    at = options.start() if options else len(marks)
    yield from (mark for mark in marks[:at].split(",") if mark)
    for mark in re.split(r",(?=\w+=)", marks[at:]) if options else ():
        name, _, value = mark.partition("=")
        yield value if name in _TELLING_ALONE else f"on {value}" if name == "on" else mark
