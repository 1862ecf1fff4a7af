"""Memory over a run as geometry: what is drawn where, before any of it is SVG.

Across, 0 to 1000 is the run's time; down, 0 is the top and 1000 is no memory. The drawing is
stretched to the page's width, so lines and areas live in these coordinates, and texts and
marks, which must not be stretched, at percentages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rpgen.report import levels, words
from rpgen.report.levels import Level
from rpgen.report.pool_keys import read_key
from rpgen.report.timeline import Change, Span, Timeline
from rpgen.run.measure import HOST, device_of

SIDE = 1000.0
COLUMNS = 600
LEAST_WIDTH = 2.0
HEADROOM = 1.08
SHOWN_IN_LANES = ("loaded", "evicted", "worker down", "worker lost")
_TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_DAY_PARTS = (10800, 21600, 43200, 86400)


@dataclass(frozen=True)
class Tick:
    percent: float
    text: str


@dataclass(frozen=True)
class Block:
    """A rectangle that stands for a file's turn; `kind` is its class in the style sheet."""

    path: str
    kind: str
    x: float
    width: float
    y: float
    height: float
    title: str


@dataclass(frozen=True)
class Mark:
    percent: float
    kind: str
    title: str


@dataclass(frozen=True)
class Lane:
    """A place for a worker and its successors."""

    name: str
    blocks: tuple[Block, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """One device. `used`, `area` and `held` are paths; `held` is what the pool's models take."""

    device: str
    name: str
    summary: str
    up: tuple[Tick, ...]
    used: str
    area: str
    held: str
    predicted: tuple[Block, ...]
    measured: tuple[Block, ...]


def charts(line: Timeline) -> tuple[Chart, ...]:
    """One for each device of which anything was measured or foretold, the host's first."""
    found = {device for sample in line.samples for device in sample.used_mb}
    found |= {device_of([use]) for span in line.spans for use in span.uses if use.get("device")}
    drawn = (
        _chart(device, line) for device in sorted(found, key=lambda name: (name != HOST, name))
    )
    return tuple(chart for chart in drawn if chart is not None)


def lanes(line: Timeline, outcomes: Mapping[str, str]) -> tuple[Lane, ...]:
    """A strip for each worker's place: files by their outcome, and what came and went in it."""
    return tuple(
        Lane(
            line.places.get(slot) or f"worker {slot + 1}",
            tuple(
                _block(span, outcomes.get(span.path, "unknown"), line.seconds)
                for span in line.spans
                if span.slot == slot
            ),
            tuple(
                Mark(_across(change.time, line.seconds) / SIDE * 100, change.kind, _told(change))
                for change in line.changes
                if change.slot == slot and change.kind in SHOWN_IN_LANES
            ),
        )
        for slot in sorted({span.slot for span in line.spans})
    )


def time_ticks(seconds: float) -> tuple[Tick, ...]:
    """At most six round moments."""
    fitting = (step for step in (*_TIME_STEPS, *_DAY_PARTS) if seconds / step <= 5)
    step = next(fitting, seconds / 5)
    count = int(seconds / step + 1e-9) if step else 0
    moments = [step * number for number in range(count + 1)]
    return tuple(
        Tick(moment / seconds * 100 if seconds else 0.0, _moment(moment)) for moment in moments
    )


def _moment(seconds: float) -> str:
    """ "0", "15 s", "5 min", "2 h".

    >>> [_moment(value) for value in (0, 0.5, 90, 300, 7200)]
    ['0', '0.5 s', '1.5 min', '5 min', '2 h']
    """
    if not seconds:
        return "0"
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:.3g} h"


def steps(highest: float, about: int) -> list[float]:
    """Round sizes from 0 up to `highest`, about that many.

    >>> steps(443, 4)
    [0.0, 100.0, 200.0, 300.0, 400.0]
    """
    if highest <= 0:
        return [0.0]
    rough, unit = highest / about, 1.0
    while unit * 10 <= rough:
        unit *= 10
    while unit > rough:
        unit /= 10
    step = min((unit * factor for factor in (1, 2, 5, 10)), key=lambda size: abs(size - rough))
    return [round(step * number, 9) for number in range(int(highest / step + 1e-9) + 1)]


def _chart(device: str, line: Timeline) -> Chart | None:
    used = levels.used(line.samples, line.changes, device)
    held = levels.held(line.changes, device)
    spans = [span for span in line.spans if span.on_device(device)]
    predicted = _growths(spans, used, [levels.predicted_growth(span, device) for span in spans])
    measured = _growths(spans, used, [levels.measured_growth(span, device) for span in spans])
    tops = [level.mb for level in (*used, *held)]
    tops += [base + growth for _, base, growth in (*predicted, *measured)]
    if not tops or max(tops) <= 0:
        return None
    top = max(tops) * HEADROOM

    def down(size: float) -> float:
        return round(SIDE - size / top * SIDE, 1)

    def block(kind: str, span: Span, base: float, growth: float) -> Block:
        y = down(base + growth)
        said = f"{span.path}: {words.memory(growth)} {kind} above the level at its start"
        return _block(span, kind, line.seconds, y, round(down(base) - y, 1), said)

    highest = max((level.mb for level in used), default=None)
    return Chart(
        device,
        "Host memory" if device == HOST else f"Memory of {device}",
        _summary(device, highest, len(spans)),
        tuple(
            Tick(100 - size / top * 100, words.memory(size) if size else "0")
            for size in steps(top, 4)
        ),
        _path(used, down, line.seconds),
        _path(used, down, line.seconds, closed=True),
        _path(held, down, line.seconds),
        tuple(block("predicted", *each) for each in predicted),
        tuple(block("measured", *each) for each in measured),
    )


def _growths(
    spans: Sequence[Span], used: Sequence[Level], growths: Sequence[float]
) -> list[tuple[Span, float, float]]:
    """Each span with the level at its start and what was added to it, where that is known."""
    return [
        (span, levels.level_at(used, span.start), growth)
        for span, growth in zip(spans, growths, strict=True)
        if growth > 0
    ]


def _summary(device: str, highest: float | None, turns: int) -> str:
    where = "resident memory of the workers" if device == HOST else f"memory in use on {device}"
    files = words.counted(turns, "file")
    if highest is None:
        return f"No samples of the {where}; {files} with models there."
    return f"At most {words.memory(highest)} {where}; {files} with models there."


def _across(time: float, seconds: float) -> float:
    return round(min(max(time / (seconds or 1.0), 0.0), 1.0) * SIDE, 2)


def _block(
    span: Span,
    kind: str,
    seconds: float,
    y: float = 0.0,
    height: float = SIDE,
    title: str | None = None,
) -> Block:
    end = span.end if span.end is not None else seconds
    x = _across(span.start, seconds)
    width = round(max(_across(end, seconds) - x, LEAST_WIDTH), 2)
    said = title or f"{span.path}: {kind}, {words.seconds(max(0.0, end - span.start))}"
    return Block(span.path, kind, min(x, SIDE - width), width, y, height, said)


def _told(change: Change) -> str:
    size = "" if change.measured_mb is None else f", {words.memory(change.measured_mb)}"
    reason = f": {change.reason}" if change.reason else ""
    worker = change.kind.startswith("worker")
    what = change.kind if worker else f"{change.kind} {read_key(change.what)}"
    return f"{words.seconds(change.time)}: {what}{size}{reason}"


def _path(
    points: Sequence[Level], down: Callable[[float], float], seconds: float, *, closed: bool = False
) -> str:
    """A line of steps; `closed` down to the ground for an area. Empty where nothing is known."""
    thin = list(levels.thinned(points, seconds, COLUMNS))
    if not thin:
        return ""
    start = f"{_across(thin[0].time, seconds):g}"
    parts = [f"M{start} {down(thin[0].mb):g}"]
    parts += [f"H{_across(level.time, seconds):g}V{down(level.mb):g}" for level in thin[1:]]
    parts.append(f"H{SIDE:g}")
    if closed:
        parts.append(f"V{SIDE:g}H{start}Z")
    return "".join(parts)
