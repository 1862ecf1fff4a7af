"""The models that a command is about: from options and from a list in a file or a pipe."""

import sys
from collections.abc import Iterable
from pathlib import Path

from rpgen.errors import UsageError

_LARGEST_LIST = 16 * 1024 * 1024


def collect_models(given: Iterable[str], models_file: str | None) -> list[str]:
    """All models in the order they were named, each once.

    A list has one model a line; empty lines and what follows ` #` or stands behind a leading
    `#` are left out. `-` is standard input. Raises UsageError where nothing is named.
    """
    listed = _lines(_read(models_file)) if models_file is not None else []
    models = list(dict.fromkeys([*given, *listed]))
    if not models:
        where = f"{models_file} names no model" if models_file else "no model is named"
        raise UsageError(f"{where}: give --model ID, or --models-file FILE with one id a line")
    return models


def _read(name: str) -> str:
    try:
        if name == "-":
            raw = sys.stdin.buffer.read(_LARGEST_LIST + 1)
        else:
            with Path(name).open("rb") as stream:
                raw = stream.read(_LARGEST_LIST + 1)
    except OSError as error:
        raise UsageError(f"the list {name} can't be read: {error.strerror or error}") from error
    if len(raw) > _LARGEST_LIST:
        raise UsageError(f"the list {name} is longer than 16 MB: is it a list of models?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"the list {name} is not UTF-8 text: {error}") from error


def _lines(text: str) -> list[str]:
    lines = (line.split(" #", 1)[0].strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]
