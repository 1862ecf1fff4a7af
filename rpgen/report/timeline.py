"""What happened when in a run: a second fold over its journal, for charts and lists.

`rpgen.run.results` says what came out; this says in which order it came about. Times are
seconds since the run's start; what lies between a run that was cut off and its resumption
does not count.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rpgen.run import events
from rpgen.run.measure import device_of


@dataclass(frozen=True)
class Span:
    """One file's turn in a worker; `end` is None where the journal breaks off in it.

    A worker's `slot` is taken over by its successor.
    """

    path: str
    worker: int
    start: float
    end: float | None = None
    peak_mb: float | None = None
    uses: tuple[Mapping[str, Any], ...] = ()
    slot: int = 0

    def on_device(self, device: str) -> tuple[Mapping[str, Any], ...]:
        """What the file had on `device` from the pool."""
        return tuple(use for use in self.uses if use.get("device") and device_of([use]) == device)


@dataclass(frozen=True)
class Sample:
    time: float
    worker: int
    used_mb: Mapping[str, float]


@dataclass(frozen=True)
class Change:
    """A model that came or went, or a worker that did; `what` is the pool's key of the model.

    `kind` is loaded, evicted, quarantined, resumed, or what a worker did: see `WORKER_ENDS`.
    """

    time: float
    kind: str
    worker: int | None
    what: str
    path: str | None = None
    reason: str | None = None
    device: str | None = None
    dtype: str | None = None
    weights: str | None = None
    seconds: float | None = None
    predicted_mb: float | None = None
    measured_mb: float | None = None
    slot: int = 0


WORKER_ENDS = frozenset({"worker down", "worker spent", "worker lost", "worker ended"})


@dataclass(frozen=True)
class Timeline:
    seconds: float = 0.0
    spans: tuple[Span, ...] = ()
    samples: tuple[Sample, ...] = ()
    changes: tuple[Change, ...] = ()
    places: Mapping[int, str] = field(default_factory=dict)  # of slots, where they have a name


@dataclass
class _Open:
    path: str
    worker: int
    start: float
    slot: int
    uses: tuple[Mapping[str, Any], ...] = ()

    def closed(self, end: float | None, peak_mb: float | None = None) -> Span:
        return Span(self.path, self.worker, self.start, end, peak_mb, self.uses, self.slot)


@dataclass
class _Reading:
    start: float | None = None
    last: float = 0.0
    slots: dict[int, int] = field(default_factory=dict)  # of each worker
    alive: dict[int, int] = field(default_factory=dict)  # the worker of each slot
    places: dict[int, str] = field(default_factory=dict)
    open: dict[str, _Open] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def timeline(journal: Iterable[events.Event]) -> Timeline:
    """The order of things; a journal that breaks off, or is empty, has one too."""
    reading = _Reading()
    for event in journal:
        if reading.start is None:
            reading.start = event.time
        if isinstance(event, events.RunResumed):
            reading.start += max(0.0, event.time - reading.start - reading.last)
        now = max(0.0, event.time - reading.start)
        reading.last = max(reading.last, now)
        _note_file(reading, event, now)
        _note_change(reading, event, now)
    unfinished = [each.closed(None) for each in reading.open.values()]
    return Timeline(
        reading.last,
        tuple(sorted((*reading.spans, *unfinished), key=lambda span: span.start)),
        tuple(sorted(reading.samples, key=lambda sample: sample.time)),
        tuple(sorted(reading.changes, key=lambda change: change.time)),
        reading.places,
    )


def _note_file(reading: _Reading, event: events.Event, now: float) -> None:
    match event:
        case events.FileStarted():
            _close(reading, event.path, now)
            slot = reading.slots.get(event.worker, 0)
            reading.open[event.path] = _Open(event.path, event.worker, now, slot)
        case events.PoolUsed() if event.path in reading.open:
            reading.open[event.path].uses = event.uses
        case events.FileEnded():
            _close(reading, event.path, now, event.peak_mb)
        case events.WorkerDown(path=str(path)) | events.WorkerLost(path=str(path)):
            _close(reading, path, now)
        case events.RunResumed():
            for path in tuple(reading.open):
                _close(reading, path, now)
        case events.WorkerSpent():
            _close(reading, event.path, now)
        case events.MemorySample():
            reading.samples.append(Sample(now, event.worker, event.used_mb))


def _close(reading: _Reading, path: str, now: float, peak_mb: float | None = None) -> None:
    opened = reading.open.pop(path, None)
    if opened is not None:
        reading.spans.append(opened.closed(now, peak_mb))


def _note_change(reading: _Reading, event: events.Event, now: float) -> None:
    match event:
        case events.ModelLoaded():
            change = Change(
                now,
                "loaded",
                event.worker,
                event.key,
                event.path,
                device=event.device,
                dtype=event.dtype,
                weights=event.weights,
                seconds=event.load_seconds,
                predicted_mb=event.predicted_mb,
                measured_mb=event.measured_mb,
            )
        case events.ModelEvicted():
            change = Change(
                now,
                "evicted",
                event.worker,
                event.key,
                event.path,
                event.reason,
                event.device,
                measured_mb=event.measured_mb,
            )
        case events.WorkerStarted():
            reading.changes.extend(_succeeded(reading, event, now))
            change = _of_worker(event, now, "started")
        case events.WorkerDown():
            change = _of_worker(event, now, "down", event.path, event.message)
        case events.WorkerSpent():
            change = _of_worker(event, now, "spent", event.path, event.message)
        case events.WorkerLost():
            change = _of_worker(event, now, "lost", event.path, event.message)
        case events.Quarantined():
            change = Change(now, "quarantined", None, event.path, event.path, event.message)
        case events.RunResumed():
            change = Change(now, "resumed", None, "run")
            reading.alive.clear()
        case _:
            return
    slot = reading.slots.get(change.worker, 0) if change.worker is not None else 0
    reading.changes.append(replace(change, slot=slot))


def _succeeded(reading: _Reading, event: events.WorkerStarted, now: float) -> Iterator[Change]:
    """A worker that starts takes the slot of one that has ended, if in peace without a word."""
    before = reading.alive.get(event.slot)
    ended = {change.worker for change in reading.changes if change.kind in WORKER_ENDS}
    if before is not None and before not in ended:
        yield Change(now, "worker ended", before, f"worker {before}", slot=event.slot)
    reading.alive[event.slot] = event.worker
    reading.slots[event.worker] = event.slot
    if event.where:
        reading.places[event.slot] = event.where


def _of_worker(
    event: events.WorkerStarted | events.WorkerDown | events.WorkerSpent | events.WorkerLost,
    now: float,
    what: str,
    path: str | None = None,
    reason: str | None = None,
) -> Change:
    return Change(now, f"worker {what}", event.worker, f"worker {event.worker}", path, reason)
