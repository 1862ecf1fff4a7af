"""One interface for whatever runs a model: probe, prepare, run, describe, release.

A backend gets a model as a function of tensors (`rpgen.backends.call.flat_call`) and makes
something callable of it. It computes where it was asked to, or raises `BackendError`: it never
falls back. What really computed is told by `describe`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from rpgen.placement.targets import Target, parse_target

__all__ = [
    "Backend",
    "BackendError",
    "Description",
    "Evidence",
    "Facility",
    "FallbackError",
    "LostError",
    "ModelIdentity",
    "NotPreparedError",
    "Prepared",
    "Sizes",
    "Target",
    "first_line",
    "parse_target",
]


Sizes = Mapping[str, tuple[int | None, ...]]
"""The axes of each input; None is a size that may change."""


class BackendError(Exception):
    """A backend that is here could not prepare or run a model, or would have fallen back."""


class LostError(BackendError):
    """What was at work is gone or gave no answer: a browser, a device. It says nothing of the
    model, which may well be computed the next time."""


class FallbackError(BackendError):
    """It would have computed elsewhere than it was asked to, or in another precision."""


class NotPreparedError(BackendError):
    """A backend can't make something callable of a model with inputs of this structure."""


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, with its kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@dataclass(frozen=True)
class Evidence:
    """Whether a target can be had here. `reason` says what was found or is missing, `remedy`
    what to do about that; `software` that a processor imitates the device."""

    available: bool
    reason: str
    remedy: str | None = None
    software: bool = False
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelIdentity:
    """What a model is, for what is kept of it from one process to the next."""

    name: str
    revision: str | None = None
    weights: str | None = None
    dtype: str = "fp32"
    auto_class: str | None = None


@dataclass(frozen=True)
class Description:
    """What really computed. `computed_by` names provider, adapter or plugin with its version;
    `nodes` says how many nodes of the graph ran where, as far as the backend tells."""

    computed_by: str
    device: str
    precision: str
    software: bool = False
    nodes: Mapping[str, int] = field(default_factory=dict)
    prepare_seconds: float = 0.0
    run_seconds: float | None = None
    runs: int = 0
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "notes": list(self.notes)}


class Prepared(Protocol):
    """A model ready to run on a target.

    With `sizes` None inputs have to be as large as the example was.
    """

    sizes: Sizes | None

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tensors by name to tensors by name, on the CPU; the outputs are the caller's own.

        Raises BackendError where it did not compute, or not where it was asked to.
        """
        ...

    def describe(self) -> Description: ...

    def release(self) -> None:
        """Give everything back. Safe to call twice; `run` raises BackendError afterwards."""
        ...


class Backend(Protocol):
    """A kind of place where models run."""

    name: str

    def probe(self, target: Target) -> Evidence: ...

    def prepare(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> Prepared:
        """`model` is a flat call, `inputs` an example: tensors on the CPU by name, in order."""
        ...


class Facility(Protocol):
    """What a backend shares among all of its models, such as a browser. The pool holds it as a
    resource, for as long as a model needs it at least."""

    name: str

    @property
    def held_bytes(self) -> int:
        """The memory that it takes now, outside of this process."""
        ...

    def close(self) -> None:
        """End it. What uses it nevertheless starts it again."""
        ...
