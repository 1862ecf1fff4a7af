"""What one file had of a model's backend: the files of a run share the model.

file A   prepared, 3 runs, compared at 2 sizes      one account
file B   the same preparation, 5 runs, 2 sizes      another, with figures of its own
"""

import threading
from dataclasses import dataclass

from rpgen.backends.base import Description
from rpgen.backends.figures import DIGITS, Difference, Figures, worst_of

MOST_COMPARED = 16
"""Sizes of inputs up to which every result is compared with torch's, which costs a run of torch.
Beyond them every doubling is: 32, 64, 128."""

Key = tuple[int, tuple[tuple[int, ...], ...]]
"""A preparation's number, and the sizes of the inputs."""


@dataclass
class _Used:
    """A preparation that was run: `part` is 0 for the model itself, then come its parts."""

    part: int
    told: Description
    runs: int = 0
    seconds: float = 0.0


class Account:
    """Filled by the forwards of a model while it is the newest one. Thread-safe."""

    def __init__(self, target: str) -> None:
        self.cache: str | None = None
        self._target = target
        self._used: dict[int, _Used] = {}
        self._prepared: list[Description] = []
        self._seen: set[Key] = set()
        self._compared: dict[Key, tuple[Difference, ...]] = {}
        self._wrong: dict[Key, str] = {}
        self._notes: dict[str, None] = {}
        self._lock = threading.Lock()

    def prepared(self, told: Description) -> None:
        with self._lock:
            self._prepared.append(told)

    def ran(self, number: int, part: int, told: Description, seconds: float) -> None:
        with self._lock:
            used = self._used.setdefault(number, _Used(part, told))
            used.runs += 1
            used.seconds += seconds

    def is_due(self, key: Key, is_free: bool) -> bool:
        """Whether this result is to be compared with torch's; `is_free`: it costs no run."""
        with self._lock:
            if key in self._seen:
                return False
            self._seen.add(key)
            count = len(self._seen)
            return is_free or count <= MOST_COMPARED or count & (count - 1) == 0

    def not_compared(self, key: Key) -> None:
        """It was due, and didn't come to it."""
        with self._lock:
            self._seen.discard(key)

    def compared(self, key: Key, found: tuple[Difference, ...], wrong: str | None) -> None:
        with self._lock:
            self._compared[key] = found
            if wrong is not None:
                self._wrong[key] = wrong

    def wrong(self, key: Key) -> str | None:
        """How a result for such inputs was found to differ from torch's."""
        with self._lock:
            return self._wrong.get(key)

    def note(self, words: str) -> None:
        with self._lock:
            self._notes[words] = None

    def figures(self) -> Figures:
        """Of all preparations together; runs and nodes are those of the model, or of the first
        part of it that ran."""
        with self._lock:
            part = min((used.part for used in self._used.values()), default=0)
            mine = [used for used in self._used.values() if used.part == part]
            told = [used.told for used in mine] or self._prepared
            worst = worst_of(tuple(d for found in self._compared.values() for d in found))
            return self._figures(mine, told, worst)

    def _figures(
        self, mine: list[_Used], told: list[Description], worst: Difference | None
    ) -> Figures:
        first = told[0] if told else Description("nothing was computed", "", "not known")
        runs = sum(used.runs for used in mine)
        return Figures(
            target=self._target,
            computed_by=first.computed_by,
            device=first.device,
            precision=first.precision,
            software=any(each.software for each in told),
            nodes=dict(first.nodes),
            preparations=len(self._prepared),
            prepare_seconds=round(sum(each.prepare_seconds for each in self._prepared), 3),
            runs=runs,
            run_seconds=round(sum(u.seconds for u in mine) / runs, DIGITS) if runs else None,
            compared=len(self._compared),
            difference=worst.relative if worst else None,
            difference_in=worst.output if worst else None,
            cache=self.cache,
            notes=(*first.notes, *self._notes),
        )
