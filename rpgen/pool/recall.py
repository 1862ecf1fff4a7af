"""What earlier runs measured, asked before a load, and what this one measured, told after it."""

import threading
from collections.abc import Callable, Sequence

from rpgen.hardware.types import HardwareSnapshot
from rpgen.placement.estimate import MB, WeightFigures, kind_of
from rpgen.pool.entry import Entry, Identity, Kind, Use
from rpgen.pool.keys import Options
from rpgen.pool.peaks import Peak, PeakStore, expected, torch_version
from rpgen.pool.table import Table


class Recall:
    def __init__(
        self,
        store: PeakStore,
        table: Table,
        lock: threading.RLock,
        snapshot: Callable[[], HardwareSnapshot],
    ) -> None:
        self._store, self._table, self._lock = store, table, lock
        self._snapshot = snapshot

    def expected(
        self, identity: Identity, figures: WeightFigures
    ) -> dict[tuple[str, str | None], float]:
        """Measured peaks of this model in MB, by kind of device and dtype."""
        if not identity.options or identity.name is None:
            return {}  # an opaque constructor: what it makes can't be told by its name
        peaks = self._store.of(str(identity.name), _text(identity.options))
        weights = {dtype: figures.bytes_by_dtype(dtype) for dtype in {p.dtype for p in peaks}}
        return expected(
            peaks, {dtype: None if size is None else size / MB for dtype, size in weights.items()}
        )

    def note(self, uses: Sequence[Use], peak_mb: float) -> bool:
        """The peak of somebody who used exactly one model is that model's; False otherwise."""
        models = [use for use in uses if use.kind is Kind.MODEL]
        if len(models) != 1 or models[0].degraded:
            return False
        with self._lock:
            entry = self._table.by_key(models[0].key)
            peak = self._peak(entry, peak_mb) if entry else None
        return peak is not None and self._store.add(peak)

    def _peak(self, entry: Entry, peak_mb: float) -> Peak | None:
        identity, placement = entry.identity, entry.loaded.placement
        if placement is None or not identity.options or entry.size.device != placement.device:
            return None
        devices = self._snapshot().devices(placement.backend)
        kinds = [kind_of(d) for d in devices if d.torch_device == placement.device]
        weights_mb = entry.size.total / MB
        return Peak(
            name=str(identity.name),
            options=_text(identity.options),
            kind=kinds[0] if kinds else str(placement.backend),
            dtype=placement.loaded_as,
            peak_mb=round(max(peak_mb, weights_mb), 1),
            weights_mb=round(weights_mb, 3),
            torch=torch_version(),
        )


def _text(options: Options) -> str:
    return ",".join(f"{name}={value}" for name, value in options)
