"""The content of the database, and its text: one entry per line, so that a diff reads well."""

import json
from collections.abc import Mapping
from typing import Any

from rpgen.families import FAMILY_OF, Family
from rpgen.heads import HEAD_OF, HEADS
from rpgen.model_database import SCHEMA
from rpgen.refresh_database.mappings import RawType, read_inputs, read_types
from rpgen.refresh_database.rules import Verdict, best_head, decide

KEEPS = "transformers keeps"


def architectures() -> dict[str, dict[str, Any]]:
    """One entry per configuration type of the installed transformers."""
    types = read_types()
    for raw in types.values():
        head = best_head(raw)
        if head is not None:
            read_inputs(raw, head.auto_class)
    return {name: entry(raw, decide(raw, types)) for name, raw in types.items()}


def entry(raw: RawType, verdict: Verdict) -> dict[str, Any]:
    """What is stored of a type; what is empty or follows from the rest is left out."""
    family = verdict.family
    if verdict.subfamily is not None and FAMILY_OF[verdict.subfamily] is family:
        family = None
    stored = {
        "config": raw.config_class,
        "family": family,
        "subfamily": verdict.subfamily,
        "auto_class": verdict.auto_class,
        "inputs": list(verdict.inputs),
        "tasks": tasks(raw, verdict),
        "classes": _ordered(raw.class_names),
        "processors": raw.processors,
        "parts": raw.parts,
        "examples": raw.examples,
        "never": {"fp16": f"{KEEPS} {', '.join(raw.wide)} in float32"} if raw.wide else {},
    }
    return {key: value for key, value in stored.items() if value}


def tasks(raw: RawType, verdict: Verdict) -> list[str]:
    """The pipeline tags that the type serves, the one of its preferred head first."""
    order = sorted(raw.class_names, key=lambda name: (name != verdict.auto_class, _rank(name)))
    found = [HEAD_OF[name].task for name in order if name in HEAD_OF]
    if verdict.family is Family.VISION:
        found = [
            "image-feature-extraction" if one == "feature-extraction" else one for one in found
        ]
    if verdict.family is None:
        found = [one for one in found if one != "feature-extraction"]
    return [one for one in dict.fromkeys(found) if one]


def _ordered(class_names: Mapping[str, str]) -> dict[str, str]:
    return {name: class_names[name] for name in sorted(class_names, key=_rank)}


def _rank(auto_class: str) -> int:
    order = [head.auto_class for head in HEADS]
    return order.index(auto_class) if auto_class in order else len(order)


def text(
    made_with: Mapping[str, str],
    types: Mapping[str, Any],
    models: Mapping[str, Any],
    names: Mapping[str, Any] | None = None,
) -> str:
    """The whole file. Keys are sorted, so that the same facts are the same bytes."""
    return "".join(
        [
            f'{{"schema": {SCHEMA},\n"made_with": {_line(dict(made_with))},\n',
            f'"architectures": {_section(types)},\n"models": {_section(models)},\n',
            f'"names": {_section(names or {})}}}\n',
        ]
    )


def _section(entries: Mapping[str, Any]) -> str:
    if not entries:
        return "{}"
    lines = (f"{_line(name)}: {_line(entries[name])}" for name in sorted(entries))
    return "{\n" + ",\n".join(lines) + "\n}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
