"""What is told of backends: who computed, how far from torch, and each file on each device.

What was measured stands in the place of what the guide's tables expect.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rpgen.families import Family
from rpgen.placement.matrix import GUIDE
from rpgen.placement.targets import Target, backend_named
from rpgen.report import words
from rpgen.run.results import FileResult, Outcome, RunResult


@dataclass(frozen=True)
class DeviceMatrix:
    """Files by device: `rows` have a cell for each of `devices`, None where it did not run."""

    devices: tuple[str, ...]
    rows: tuple[tuple[str, tuple[FileResult | None, ...]], ...]


def by_device(result: RunResult) -> DeviceMatrix | None:
    """None where each file ran on one device only."""
    found: dict[str, dict[str, FileResult]] = {}
    for file in result.files:
        if file.asked and file.source != file.path:
            found.setdefault(file.source, {})[file.asked] = file
    if not found:
        return None
    devices = tuple(dict.fromkeys(device for row in found.values() for device in row))
    rows = ((name, tuple(map(row.get, devices))) for name, row in found.items())
    return DeviceMatrix(devices, tuple(rows))


def cell(file: FileResult | None) -> str:
    """ "10/17, 1.5e-06 off, 12 ms a run": what came out on one device."""
    if file is None:
        return "not run"
    parts = [f"{file.counts[Outcome.PASSED]}/{len(file.tests)}"]
    if file.backend and file.backend["runs"]:
        parts += [part for part in (_off(file.backend), _run(file.backend)) if part]
    elif file.difference is not None:
        parts.append(f"{file.difference:.1e} off")
    elif expected := expectation(file):
        parts.append(f"expected: {expected}")
    return ", ".join(parts)


def told(file: FileResult) -> str | None:
    """One sentence on the backend that computed; None where torch itself did, on the CPU."""
    backend = file.backend
    if backend is None and file.difference is not None:
        where = f"{file.difference_in}, dtype {file.dtype}"
        return (
            f"at most {file.difference:.1e} of the spread from torch's result on the CPU ({where})"
        )
    if backend is None:
        expected = expectation(file)
        return f"not measured; the guide's tables expect: {expected}" if expected else None
    return "; ".join(_sentences(backend))


def _sentences(backend: Mapping[str, Any]) -> Iterator[str]:
    if not backend["runs"]:
        yield f"{backend['target']} computed nothing"
        return
    imitated = " in software" if backend.get("software") else ""
    yield f"computed by {backend['computed_by']} on {backend['device']}{imitated}"
    counted = ", ".join(f"{count} on {where}" for where, count in backend["nodes"].items())
    yield f"{backend['precision']}" + (f", nodes: {counted}" if counted else "")
    if (off := backend.get("difference")) is not None:
        where = (
            f"{backend['difference_in']}, {words.counted(backend['compared'], 'size')} of inputs"
        )
        yield f"at most {off:.1e} of the spread from torch's result ({where})"
    elif backend.get("difference_in"):
        yield f"not comparable with torch's result in {backend['difference_in']}"
    count, took = backend["preparations"], words.seconds(backend["prepare_seconds"])
    often = "once" if count == 1 else f"{count} times"
    yield f"prepared {often} in {took}" if count else "prepared for an earlier file"
    if run := _run(backend):
        yield f"{words.counted(backend['runs'], 'run')}, {run}"
    if backend.get("cache"):
        yield str(backend["cache"])
    yield from backend.get("notes") or ()


def _off(backend: Mapping[str, Any]) -> str | None:
    """In units of the spread of what torch gave."""
    off = backend.get("difference")
    if off is None:
        return "not comparable" if backend.get("difference_in") else None
    return f"{off:.1e} off"


def _run(backend: Mapping[str, Any]) -> str | None:
    seconds = backend.get("run_seconds")
    if seconds is None:
        return None
    took = words.seconds(seconds) if seconds >= 0.001 else f"{seconds * 1000:.2f} ms"
    return f"{took} a run"


def expectation(file: FileResult) -> str | None:
    """What the guide's tables say of a backend that was asked for and not measured."""
    target = asked_target(file)
    if target is None or target.kind is None or file.family not in list(Family):
        return None
    found = GUIDE.cell(target.kind, Family(file.family), file.model_type)
    if found is None:
        return None
    rating = found.rating.name.lower() if found.rating else "no"
    return f"{rating} support" if found.supported or not found.rating else "no support"


def asked_target(file: FileResult) -> Target | None:
    """The backend that was asked for, where that isn't torch itself."""
    return backend_named(file.asked)


def entry(file: FileResult) -> dict[str, Any] | None:
    """For the JSON report: what was measured, or what is expected."""
    if file.backend is not None:
        measured = bool(file.backend["runs"])
        return {**file.backend, "expectation": None if measured else expectation(file)}
    if file.difference is not None:
        return {
            "target": str(file.device),
            "expectation": None,
            "computed_by": "torch, eager",
            "precision": str(file.dtype),
            "compared": 1,
            "difference": file.difference,
            "difference_in": file.difference_in,
        }
    target = asked_target(file)
    return None if target is None else {"target": str(target), "expectation": expectation(file)}
