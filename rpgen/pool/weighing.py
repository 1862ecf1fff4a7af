"""What to load where, now or once idle things have gone: a pure function of the figures.

Best is the whole model on one device, then a split one, then one with a part of it on the disk,
then one with smaller weights. Room is made for the better way, as long as the model can then be
had in it; nothing goes where that would change nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from rpgen.errors import DoesNotFitError
from rpgen.placement.choose import HEADROOM, Placement
from rpgen.placement.estimate import Needs
from rpgen.placement.preferences import QUANTISED
from rpgen.pool.eviction import Candidate, order

MB = 2**20


@dataclass(frozen=True)
class Figures:
    """MB per device that are free, that idle things take, and busy ones; and the memory each
    device computes in."""

    free: Mapping[str, float | None]
    idle: Mapping[str, float]
    busy: Mapping[str, float]
    domain: Mapping[str, str]

    @property
    def emptied(self) -> dict[str, float | None]:
        """What would be free without the idle things."""
        return {
            device: None if mb is None else mb + self.idle.get(device, 0.0)
            for device, mb in self.free.items()
        }

    @property
    def deserted(self) -> dict[str, float | None]:
        """What would be free without anything of ours."""
        return {
            device: None if mb is None else mb + self.busy.get(device, 0.0)
            for device, mb in self.emptied.items()
        }

    def without(self, gone: Iterable[Candidate]) -> dict[str, float | None]:
        freed: dict[str, float] = {}
        for candidate in gone:
            freed[candidate.domain] = freed.get(candidate.domain, 0.0) + candidate.size / MB
        return {
            device: None if mb is None else mb + freed.get(self.domain[device], 0.0)
            for device, mb in self.free.items()
        }


@dataclass(frozen=True)
class Weighed:
    """The best placement, and the MB that must be freed for it first. A split one needs room on
    several devices: `short_mb` is then None, and `victims_for` knows who has to go."""

    placement: Placement
    short_mb: float | None = 0.0

    @property
    def has_room(self) -> bool:
        return self.short_mb is not None and self.short_mb <= 0


class Way(IntEnum):
    """The smaller, the better."""

    WHOLE = 0
    SPLIT = 1
    ON_DISK = 2
    SMALLER_WEIGHTS = 3


Place = Callable[[Mapping[str, float | None]], Placement]
"""Where it goes with so many MB free; DoesNotFitError where it can't be had."""


def way_of(placement: Placement) -> Way:
    if placement.split is not None:
        return Way.ON_DISK if placement.split.on_disk else Way.SPLIT
    unasked = placement.dtype in QUANTISED and placement.degraded is not None
    return Way.SMALLER_WEIGHTS if unasked else Way.WHOLE


def weigh(place: Place, figures: Figures) -> Weighed:
    """DoesNotFitError, with the numbers of now, where no eviction would help either."""
    now: Placement | None = None
    refusal: DoesNotFitError | None = None
    try:
        now = place(figures.free)
    except DoesNotFitError as error:
        refusal = error
    if now is not None and not now.short_of_memory:
        return Weighed(now)
    if figures.emptied == figures.free:
        if now is None:
            raise refusal or AssertionError("a refusal has its error")
        return Weighed(now)
    better = place(figures.emptied)
    if now is not None and way_of(better) >= way_of(now) and (better.split or _same(better, now)):
        return Weighed(now)
    if better.split:
        return Weighed(better, None)
    needed_mb = (better.needed_mb or 0.0) * HEADROOM
    return Weighed(better, needed_mb - (figures.free[better.device] or 0.0))


def victims_for(
    way: Way, place: Place, figures: Figures, candidates: Iterable[Candidate]
) -> tuple[Candidate, ...]:
    """Who goes so that the model can be had in this way, on whatever devices; nobody where that
    can't be reached. Each is needed, as in `eviction.victims`."""

    def enough(gone: list[Candidate]) -> bool:
        try:
            return way_of(place(figures.without(gone))) <= way
        except DoesNotFitError:
            return False

    chosen: list[Candidate] = []
    for candidate in order(c for c in candidates if c.size > 0):
        if enough(chosen):
            break
        chosen.append(candidate)
    if not enough(chosen):
        return ()
    for candidate in reversed(tuple(chosen)):
        others = [c for c in chosen if c is not candidate]
        if enough(others):
            chosen = others
    return tuple(chosen)


def bytes_of(needs: Needs, placement: Placement) -> tuple[int, int]:
    """What the weights will take there, and what has to be free for the load."""
    weights = needs.figures.bytes_by_dtype(placement.loaded_as) if needs.figures else None
    needed = int((placement.needed_mb or 0.0) * MB)
    return needed if weights is None else weights, int(needed * HEADROOM) + 1


def _same(one: Placement, other: Placement) -> bool:
    """Whether two placements give the same model in the same place."""
    return (one.device, one.dtype, one.split) == (other.device, other.dtype, other.split)
