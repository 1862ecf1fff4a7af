"""Read-only views of what the pool holds: live, safe to iterate while others change it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rpgen.pool.entry import Entry, Kind
from rpgen.pool.table import Table


class View(Mapping[str, Any]):
    """The entries of one kind (or all) by key, each shown as `show` says."""

    def __init__(
        self,
        table: Table,
        lock: threading.RLock,
        show: Callable[[Entry], Any],
        kind: Kind | None = None,
    ) -> None:
        self._table, self._lock, self._show, self._kind = table, lock, show, kind

    def __getitem__(self, key: str) -> Any:
        with self._lock:
            entry = self._table.by_key(key)
            if entry is None or not self._mine(entry):
                raise KeyError(key)
            return self._show(entry)

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            keys = [entry.key for entry in self._table if self._mine(entry)]
        return iter(keys)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<{', '.join(self) or 'nothing'}>"

    def _mine(self, entry: Entry) -> bool:
        return self._kind is None or entry.identity.kind is self._kind


def entry_stats(entry: Entry, now: float) -> dict[str, Any]:
    """What `get_stats()["models"]` and `pool._stats` say of one entry."""
    return {
        "memory_usage": entry.size.total,
        "memory_usage_mb": round(entry.size.total / 2**20, 3),
        "memory_estimation_method": entry.size.method,
        "device": entry.size.device,
        "dtype": entry.size.dtype,
        "hits": entry.hits,
        "age_seconds": now - entry.created,
        "idle_seconds": now - entry.last_used,
        "in_use": entry.busy,
    }


def details(entry: Entry, now: float) -> dict[str, Any]:
    """All that is known of one entry, as JSON values."""
    loaded = entry.loaded
    placement = loaded.placement
    return {
        "key": entry.key,
        "kind": str(entry.identity.kind),
        "type": entry.identity.type,
        "name": entry.identity.name,
        **entry_stats(entry, now),
        "options": dict(entry.identity.options),
        "leases": entry.leases,
        "going_when_idle": entry.doomed,
        "parked_from": entry.home,
        "bytes_by_device": dict(entry.size.by_device),
        "mapped_bytes": entry.size.mapped,
        "device_delta_mb": loaded.device_delta_mb,
        "quantised_by": loaded.quantiser,
        "weights": loaded.weights,
        "load_seconds": loaded.seconds,
        "predicted_mb": loaded.predicted_mb,
        "estimate_source": placement.estimate_source if placement else None,
        "degraded": loaded.degraded,
        "reasons": list(placement.reasons) if placement else [],
        "fallbacks": list(placement.fallbacks) if placement else [],
    }


def explanation(entry: Entry) -> str:
    """Why it is where it is, in lines for a person."""
    placement = entry.loaded.placement
    if placement is None:
        return f"{entry.key}: a {entry.identity.kind} has no device."
    lines = [f"{entry.key} is on {entry.size.device or placement.device}", *placement.reasons]
    if placement.estimate_source:
        lines.append(f"its size was estimated from: {placement.estimate_source}")
    if placement.fallbacks:
        lines.append(f"would also do: {', '.join(placement.fallbacks)}")
    if entry.loaded.degraded:
        lines.append(f"degraded: {entry.loaded.degraded}")
    return "\n  ".join(lines)
