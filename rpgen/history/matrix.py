"""Model by device and versions, over several runs: what works where, and since when not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rpgen.history.records import FileRecord, RunRecord
from rpgen.run.results import BAD, Outcome

_TOLD = ("torch", "transformers")


@dataclass(frozen=True)
class Column:
    """Where: a device or backend with the versions it was tried with, on a host.

    `device` is a kind ("cuda"), not one of several ("cuda:1").
    """

    device: str
    versions: tuple[tuple[str, str], ...]
    host: str | None

    def heading(self, *, with_host: bool) -> tuple[str, ...]:
        lines = [self.device, *(f"{name} {version}" for name, version in self.versions)]
        return (*lines, f"on {self.host}") if with_host and self.host else tuple(lines)


@dataclass(frozen=True)
class Cell:
    """The last result there; `before` is the outcome that it had before, if that differs."""

    outcome: str
    passed: int
    total: int
    dtype: str | None
    weights: str | None
    run: str
    before: str | None = None


@dataclass(frozen=True)
class Matrix:
    """Columns newest first; `cells` has an entry for each model and column that met."""

    columns: tuple[Column, ...] = ()
    models: tuple[str, ...] = ()
    cells: Mapping[tuple[str, Column], Cell] = field(default_factory=dict)
    runs: int = 0

    @property
    def several_hosts(self) -> bool:
        return len({column.host for column in self.columns}) > 1


def build(runs: Sequence[RunRecord]) -> Matrix:
    """From runs in their order, oldest first. Files without a model are not in it."""
    cells: dict[tuple[str, Column], Cell] = {}
    seen: dict[Column, int] = {}
    places: dict[tuple[str, str | None], str] = {}
    for number, run in enumerate(runs):
        for (model, column), files in _met(run, places).items():
            seen[column] = number
            before = cells.get((model, column))
            cells[model, column] = _cell(files, run, before)
    columns = sorted(seen, key=lambda column: (-seen[column], column.device))
    models = sorted({model for model, _ in cells}, key=str.lower)
    return Matrix(tuple(columns), tuple(models), cells, len(runs))


def _met(
    run: RunRecord, places: dict[tuple[str, str | None], str]
) -> dict[tuple[str, Column], list[FileRecord]]:
    """The files of a run by model and place.

    A model that could not be loaded got no device: its failure belongs where that model was
    last (`places`, which is kept up), or else where all others of the run were.
    """
    versions = tuple((name, str(run.versions[name])) for name in _TOLD if run.versions.get(name))
    devices = {_kinds(file.device) for file in run.files if file.device}
    usual = devices.pop() if len(devices) == 1 else "no device"
    found: dict[tuple[str, Column], list[FileRecord]] = {}
    for file in run.files:
        if file.model is None:
            continue
        if file.device:
            places[file.model, run.host] = _kinds(file.device)
        place = places.get((file.model, run.host), usual)
        found.setdefault((file.model, Column(place, versions, run.host)), []).append(file)
    return found


def _kinds(device: str) -> str:
    """ "cuda:0, cpu" is "cuda, cpu"."""
    names = (name.strip().partition(":")[0] for name in device.split(","))
    return ", ".join(dict.fromkeys(names))


def _cell(files: Sequence[FileRecord], run: RunRecord, before: Cell | None) -> Cell:
    worst = _worst(file.outcome for file in files)
    return Cell(
        worst,
        sum(file.passed for file in files),
        sum(file.total for file in files),
        _one(file.dtype for file in files),
        _one(file.weights for file in files),
        run.run,
        before.outcome if before and before.outcome != worst else None,
    )


def _worst(outcomes: Iterable[str]) -> str:
    """As for the tests of a file: what is bad tells, and else one that passed is enough."""
    found = set(outcomes)
    order = [str(outcome) for outcome in Outcome]
    bad = sorted(found & BAD, key=order.index)
    return bad[-1] if bad else Outcome.PASSED if Outcome.PASSED in found else min(found)


def _one(values: Iterable[str | None]) -> str | None:
    return ", ".join(dict.fromkeys(value for value in values if value)) or None
