"""Pages from templates: one file each, which asks for nothing from anywhere.

Values are escaped by Jinja. The page's own policy says the same once more to the browser:
only the style and the script that were written here, by their hashes, and no request at all.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpgen.report import words

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, values: Mapping[str, Any]) -> str:
    style, script = (_own(name) for name in ("style.css", "script.js"))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:"
    )
    return (
        _environment()
        .get_template(template)
        .render(style=_trusted(style), script=_trusted(script), policy=policy, **values)
    )


def compile_templates() -> None:
    """All of them, as long as there is nothing else to do."""
    environment = _environment()
    for name in environment.list_templates(extensions=["j2"]):
        environment.get_template(name)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = plain
    environment.filters["breakable"] = breakable
    environment.filters["counted"] = words.counted
    environment.filters["seconds"] = words.seconds
    environment.filters["mb"] = _megabytes
    return environment


def plain(text: object) -> str:
    """Any text as a page can show it: without colour codes and control characters."""
    return words.plain(str(text))


def breakable(text: object) -> Any:
    """A path or an id, escaped, that a browser may break after its separators only."""
    from markupsafe import Markup, escape

    parts = re.split(r"(?<=[/_:.])(?=[^/_:.])", plain(text))
    return Markup("<wbr>").join(escape(part) for part in parts)


def _megabytes(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else words.memory(value)


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def _trusted(text: str) -> Any:
    """Text of this package's own files; nothing that anybody gave."""
    from markupsafe import Markup

    return Markup(text)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
