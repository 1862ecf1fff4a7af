"""The plan of a file that tests an architecture: a tiny model of a type, not one of the hub.

What the file holds follows from what the database remembers of the type: the head, the
arguments of a call, the levels that were reached, and the checks that don't apply to it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rpgen.errors import UsageError
from rpgen.generate.chosen import PRECISIONS
from rpgen.generate.outputs import Output
from rpgen.generate.plan import (
    TestPlan,
    Wishes,
    class_name,
    command,
    in_lines,
    preferences_of,
)
from rpgen.model_database import Architecture
from rpgen.models.recipe import applies

TEMPLATE = "hf_architecture_template.py"
LEVELS = {
    "forward": "forward",
    "joint": "joint modalities",
    "generation": "generation",
    "training": "training step",
}
"""The levels in the order in which they build on each other, and how a file names them."""

CHECKS = ("saving", "layers", "attention", "gradients", "rows", "look_ahead", "cache")
"""What a file holds beside the levels, unless the type leaves it out."""


def plan_architecture(architecture: Architecture, file_name: str, wishes: Wishes) -> TestPlan:
    """The plan for a type. Raises UsageError for weights that a type alone doesn't have."""
    if wishes.weights not in ("tiny", "auto"):
        raise UsageError(
            f"{architecture.model_type} is an architecture and has no {wishes.weights} weights:"
            " write --weights tiny, or name a model"
        )
    known = architecture.tiny
    auto_class = known.get("auto_class") or architecture.auto_class or "AutoModel"
    left_out = set(known.get("left_out", ()))
    reached = [level for level in LEVELS if level in known.get("levels", ("forward",))]
    levels = tuple(LEVELS[level] for level in reached)
    inputs: Mapping[str, Any] = known.get("inputs", {})
    held = {*reached, *(each for each in CHECKS if applies(each, auto_class, inputs))}
    said = Wishes(wishes.device, wishes.dtype, "tiny", cleanup_minutes=wishes.cleanup_minutes)
    return TestPlan(
        file_name=file_name,
        class_name=class_name(file_name),
        title=f"Tests of the architecture {architecture.model_type}.",
        command=command("--architecture", architecture.model_type, said),
        model=architecture.model_type,
        family=str(architecture.family or "general"),
        subfamily=str(architecture.subfamily) if architecture.subfamily else None,
        template=TEMPLATE,
        auto_class=auto_class,
        output=Output(),
        checkpoint={
            "auto_class": auto_class,
            "model_type": architecture.model_type,
            "weights": "tiny",
        },
        preferences=preferences_of(architecture.family, architecture.model_type, wishes),
        cleanup_minutes=wishes.cleanup_minutes,
        inputs=architecture.inputs or ("text",),
        checks=frozenset(held - left_out),
        precisions=tuple(each for each in PRECISIONS if each not in left_out),
        draws="draws" in left_out,
        levels=levels,
        arguments=tuple(inputs),
        notes=tuple(_notes(known, architecture.never)),
    )


def _notes(known: Mapping[str, Any], never: Collection[str]) -> Iterator[str]:
    """What the file leaves out, does not reach and can't hold, each with its reason, in lines."""
    left_out = {**dict.fromkeys(never, "not for this type"), **known.get("left_out", {})}
    for title, reasons in (
        ("Left out:", left_out),
        ("Not reached:", {LEVELS[k]: v for k, v in known.get("missed", {}).items()}),
        ("Not in this call, by the code of the model itself:", known.get("limits", {})),
    ):
        if reasons:
            yield title
        for name, reason in reasons.items():
            yield from in_lines(f"- {name}: {reason}")
