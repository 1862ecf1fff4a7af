"""What the pool tells of itself: views, statistics, details, explanations."""

import threading
from collections.abc import Callable
from typing import Any

from rpgen.pool import statistics
from rpgen.pool.entry import Entry, Kind
from rpgen.pool.facilities import look_again
from rpgen.pool.low_memory import LowMemory
from rpgen.pool.surroundings import Surroundings
from rpgen.pool.table import Table
from rpgen.pool.views import View, details, entry_stats, explanation


class Looking:
    def __init__(
        self,
        table: Table,
        lock: threading.RLock,
        clock: Callable[[], float],
        around: Surroundings,
        low_memory: LowMemory,
    ) -> None:
        self._table, self._lock, self._clock = table, lock, clock
        self._around, self._low_memory = around, low_memory

    def values(self, kind: Kind) -> View:
        return View(self._table, self._lock, _value, kind)

    def entries(self) -> View:
        return View(self._table, self._lock, lambda entry: entry_stats(entry, self._clock()))

    def stats(self) -> dict[str, Any]:
        stats = self._pool_part()
        stats["low_memory_mode"] = self._low_memory.on
        stats["system_memory"] = statistics.system_memory(
            self._around.host, self._around.under_pressure
        )
        stats["cpu"] = statistics.cpu()
        stats["cuda_memory"] = statistics.cuda_memory()
        stats["hardware"] = statistics.other_hardware(self._around.known_snapshot)
        stats["component_status"] = statistics.components()
        return stats

    def summary(self) -> dict[str, Any]:
        stats = self._pool_part()
        memory = statistics.system_memory(self._around.host, lambda: False)
        shown = ("available_mb", "percent_used")
        return {
            "hits": stats["hits"],
            "misses": stats["misses"],
            "memory_usage_mb": round(stats["memory_usage_mb"], 1),
            "cached_models": stats["cached_models"],
            "low_memory_mode": self._low_memory.on,
            "system_memory": {name: memory[name] for name in shown if name in memory},
        }

    def details(self, key: str) -> dict[str, Any] | None:
        look_again(self._table, self._lock)
        with self._lock:
            entry = self._table.by_key(key)
            return details(entry, self._clock()) if entry else None

    def explain(self, key: str) -> str | None:
        with self._lock:
            entry = self._table.by_key(key)
            return explanation(entry) if entry else None

    def _pool_part(self) -> dict[str, Any]:
        look_again(self._table, self._lock)
        with self._lock:
            entries = list(self._table)
            return statistics.pool_part(entries, self._table.counters, self._clock())


def _value(entry: Entry) -> Any:
    return entry.value
