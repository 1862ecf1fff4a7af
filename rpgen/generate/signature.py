"""How a generated file is told from an edited one: a digest of the file in its last line."""

import hashlib
import re
from enum import StrEnum

_LINE = re.compile(r"^# rpgen:signature ([0-9a-f]{16})\n?\Z", re.MULTILINE)


class Origin(StrEnum):
    """Whose text a file is."""

    GENERATED = "generated"  # as rpgen wrote it
    EDITED = "edited"  # rpgen wrote it, a person changed it
    FOREIGN = "foreign"  # not written by rpgen


def sign(text: str) -> str:
    """`text` with its digest in a last line of its own."""
    return f"{text.rstrip()}\n\n# rpgen:signature {_digest(text)}\n"


def origin(text: str) -> Origin:
    """Whose text this is; line endings and blanks at the end of the file don't count."""
    found = _LINE.search(text.replace("\r\n", "\n").rstrip() + "\n")
    if not found:
        return Origin.EDITED if "# rpgen:signature " in text else Origin.FOREIGN
    body = text.replace("\r\n", "\n")[: found.start()]
    return Origin.GENERATED if _digest(body) == found[1] else Origin.EDITED


def _digest(text: str) -> str:
    return hashlib.sha256(text.rstrip().encode()).hexdigest()[:16]
