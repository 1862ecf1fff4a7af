"""What the pool knows of one thing it holds: its identity, its size, its life so far."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rpgen.placement.choose import Placement


class Kind(StrEnum):
    RESOURCE = "resource"
    MODEL = "model"
    TOKENIZER = "tokenizer"


@dataclass(frozen=True)
class Identity:
    """What makes two requests the same thing. `options` come from the model's source.

    `dtype` is None where the weights were left as they are.
    """

    kind: Kind
    type: str
    name: str | None
    device: str | None = None
    dtype: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def plain_key(self) -> str:
        """The guide's key: `type[:id]`, `type:name`, `tokenizer:type:name`."""
        named = self.type if self.name is None else f"{self.type}:{self.name}"
        return f"tokenizer:{named}" if self.kind is Kind.TOKENIZER else named

    @property
    def full_key(self) -> str:
        """The key of a further instance: `type:name@cuda:0,fp16,auto_class=AutoModel`."""
        marks = [m for m in (self.device, self.dtype) if m]
        marks += [f"{name}={value}" for name, value in self.options]
        return f"{self.plain_key}@{','.join(marks)}" if marks else self.plain_key


@dataclass(frozen=True)
class Size:
    """Measured memory. `method` says how; `by_device` are the bytes that live where, `mapped`
    those of the host that are a file's, so that the process took no memory for them."""

    total: int
    method: str
    by_device: Mapping[str, int] = field(default_factory=dict)
    device: str | None = None
    dtype: str | None = None
    mapped: int = 0


@dataclass(frozen=True)
class Loaded:
    """What a load gave, before it is anybody's entry. `device_delta_mb` is how much more was
    taken on its device after the load than before it, by the device's own count; `quantiser` is
    the package that made the weights small; `close` ends what would live on once it is let go."""

    value: Any
    size: Size
    seconds: float
    placement: Placement | None = None
    weights: str | None = None
    predicted_mb: float | None = None
    degraded: str | None = None
    device_delta_mb: float | None = None
    quantiser: str | None = None
    close: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """How a request came to mean an entry: whether it named a device, and what it lost."""

    names_device: bool = False
    degraded: str | None = None


@dataclass(eq=False, slots=True)
class Entry:
    """One thing in the pool. Changed only under the pool's lock.

    `leases` counts who uses it now; `doomed` says that it goes with the last of them. `home`
    is the device it belongs on while low-memory mode keeps it on the CPU, and `moving` says
    that it is between devices.
    `needs` are entries that can't go before it, each with a lease for that.
    `identities` and `requests` are the names under which the table knows it; a request that
    named its device ends when the entry moves elsewhere.
    """

    identity: Identity
    key: str
    loaded: Loaded
    value: Any
    created: float
    last_used: float
    hits: int = 0
    leases: int = 0
    doomed: bool = False
    live: bool = True
    moving: bool = False
    home: str | None = None
    size: Size = field(default_factory=lambda: Size(0, "not measured"))
    identities: set[Identity] = field(default_factory=set)
    requests: dict[Hashable, Asked] = field(default_factory=dict)
    needs: "list[Entry]" = field(default_factory=list)

    @property
    def busy(self) -> bool:
        return self.leases > 0 or self.moving


@dataclass(frozen=True)
class Got:
    """A pinned entry, whether it was there already, and what this request did not get."""

    entry: Entry
    hit: bool
    degraded: str | None = None


@dataclass(frozen=True)
class Use:
    """What one owner got from the pool, for the reports. Sizes in MB, unknown is None.

    `hit` says that it was there already, so `load_seconds` was somebody else's wait.
    `mapped_mb` of `measured_mb` are a file's pages, `estimate_source` is where the prediction
    came from. `backend` tells of the one that computes in torch's place: `rpgen.backends.figures`.
    """

    key: str
    kind: Kind
    device: str | None
    dtype: str | None
    weights: str | None
    load_seconds: float
    predicted_mb: float | None
    measured_mb: float | None
    degraded: str | None
    hit: bool
    mapped_mb: float = 0.0
    estimate_source: str | None = None
    backend: Mapping[str, Any] | None = None
