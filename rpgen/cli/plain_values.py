"""Values of the command line that need no conversion don't wait for the library that converts.

Typer gives every value to pydantic, also one that nobody gave, and a text that is to be a text;
to import that takes half as long as all else that Typer does. What this touches is not promised:
it is looked for, and without it a command only starts later.
"""

import os
from collections.abc import Callable
from enum import EnumType
from pathlib import Path
from typing import Any, get_args, get_origin

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose values take the short way where there is one."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_shortened(param) for param in super().get_params(ctx)]


class PlainGroup(TyperGroup):
    """The same for what stands before the command."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_shortened(param) for param in super().get_params(ctx)]


def _shortened(param: Any) -> Any:
    convert = getattr(param, "get_runtime_param", None)
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    if convert is not None and annotation is not None and "get_runtime_param" not in vars(param):
        short = _Short(annotation, convert)
        param.get_runtime_param = lambda: short
    return param


class _Short:
    """In place of what Typer makes for one parameter, which it asks where it must."""

    def __init__(self, annotation: Any, convert: Callable[[], Any]) -> None:
        self._annotation = annotation
        self._convert = convert

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if is_plain(value, self._annotation):
            return as_plain(value, self._annotation)
        return self._convert().coerce(value, param=param, ctx=ctx)


def is_plain(value: Any, annotation: Any) -> bool:
    """Whether a value is what is wanted, or becomes it without any question.

    A default is; a text is, for a text and for a path that may be read or is not there.
    """
    if get_origin(annotation) is list:
        several = isinstance(value, list | tuple)
        return several and all(is_plain(each, get_args(annotation)[0]) for each in value)
    if annotation is Path and type(value) is str:
        return not os.path.lexists(value) or os.access(value, os.R_OK)
    return type(annotation) in (type, EnumType) and isinstance(value, annotation)


def as_plain(value: Any, annotation: Any) -> Any:
    if get_origin(annotation) is list:
        return [as_plain(each, get_args(annotation)[0]) for each in value]
    return Path(value) if annotation is Path else value
