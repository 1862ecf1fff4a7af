"""Where a model goes: a pure function of its needs, the machine, free memory and preferences.

The candidates are put in order (what was asked for, then the priority list or the matrix's
own order, the CPU last), each gets a verdict, and the first one accepted is the answer. The
others that would do are the chain of fallbacks. Nothing is measured or changed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rpgen.errors import DoesNotFitError, RpgenError, UsageError
from rpgen.hardware.types import Backend, Device, HardwareSnapshot
from rpgen.placement.candidates import (
    Case,
    candidates,
    devices_of,
    loaded_as,
    means,
    needed_mb,
    why_not_here,
)
from rpgen.placement.estimate import Needs
from rpgen.placement.matrix import GUIDE, Matrix
from rpgen.placement.precision import choose_dtype, loaded_in, why_not_quantised
from rpgen.placement.preferences import QUANTISED, Preferences, Request
from rpgen.placement.split import Split, split_over

HEADROOM = 1.10
"""What must be free over the prediction: allocators round up, and predictions err."""


@dataclass(frozen=True)
class Considered:
    """One candidate and what was said of it. `short_mb` is what it lacked now, if only that."""

    name: str
    accepted: bool
    verdict: str
    short_mb: float | None = None
    never_fits: bool = False
    here: bool = True


@dataclass(frozen=True)
class Placement:
    """The decision. `dtype` None leaves the weights as they are.

    `fallbacks` are the other devices that would do, in order. `short_of_memory` says that a
    better device was passed over only because it lacks free bytes now: freeing some helps.
    `split` says how much of it lies where, for one that is too large for any device; `device`
    is then where its computation begins.
    """

    device: str
    dtype: str | None
    backend: Backend
    reasons: tuple[str, ...]
    fallbacks: tuple[str, ...] = ()
    degraded: str | None = None
    needed_mb: float | None = None
    estimate_source: str | None = None
    considered: tuple[Considered, ...] = ()
    short_of_memory: bool = False
    split: Split | None = None

    @property
    def loaded_as(self) -> str | None:
        """The dtype that the weights take there."""
        return loaded_in(self.dtype, self.backend)


def place(
    needs: Needs,
    snapshot: HardwareSnapshot,
    free_mb: Mapping[str, float | None],
    preferences: Preferences | None = None,
    matrix: Matrix = GUIDE,
    excluded: Mapping[str, str] | None = None,
) -> Placement:
    """Decide. DoesNotFitError has the numbers; UsageError is for a forced device not here.

    `free_mb` maps a torch device to its free memory; None or absent is unknown, and then
    only the device's total size is held against the need. `excluded` are devices that were
    tried already, with what went wrong there.
    """
    case = Case(needs, snapshot, free_mb, preferences or Preferences(), matrix, excluded or {})
    if case.preferences.force_device and case.preferences.device:
        return _forced(case, case.preferences.device)
    try:
        return _whole(case)
    except DoesNotFitError as refusal:
        found = _split(case) or _quantised(case)
        if found is None:
            raise
        why = str(refusal).partition(" (")[2].partition("). ")[0]
        return replace(found, degraded=f"{found.degraded}; whole: {why}")


def _whole(case: Case) -> Placement:
    """On one device, in the dtype that was asked for."""
    considered: list[Considered] = []
    accepted: list[Device] = []
    for request, device in candidates(case):
        verdict = _judge(case, request, device)
        considered.append(verdict)
        if verdict.accepted and device is not None:
            accepted.append(device)
    if not accepted:
        raise _nothing_left(considered)
    return _decision(case, accepted, tuple(considered))


def _judge(case: Case, request: Request, device: Device | None) -> Considered:
    if device is None:
        return Considered(str(request), False, why_not_here(case.snapshot, request), here=False)
    name = str(device.torch_device)
    if name in case.excluded:
        return Considered(name, False, case.excluded[name], never_fits=True)
    against = (
        _not_allowed(case, device)
        or _not_compatible(case, device)
        or why_not_quantised(case.preferences, device, case.needs.quantisers)
    )
    return Considered(name, False, against) if against else _judge_memory(case, device, name)


def _not_allowed(case: Case, device: Device) -> str | None:
    allowed = case.preferences.compatible_devices
    if allowed is None or any(means(request, device) for request in allowed):
        return None
    return "it is not among the compatible_devices"


def _not_compatible(case: Case, device: Device) -> str | None:
    """The caller's word comes first, a device named by the caller second, the tables last."""
    told = case.preferences.compatibility.get(device.backend)
    if told and not told.compatible:
        return told.reason or "hw_compatibility says that it is not compatible"
    named = [case.preferences.device, *(case.preferences.priority or ())]
    if told or any(request and means(request, device) for request in named):
        return None
    cell = case.matrix.cell(device.backend, case.family, case.needs.model_type)
    if cell is None or cell.supported:
        return None
    kind = case.needs.model_type if case.needs.model_type in case.matrix.models else case.family
    return f"{kind} models are not well supported on {device.backend}"


def _judge_memory(case: Case, device: Device, name: str) -> Considered:
    needed, free = needed_mb(case, device), case.free(device)
    if needed is None:
        return Considered(name, True, "its size is not known beforehand")
    wanted = needed * HEADROOM
    if device.total_mb is not None and needed > device.total_mb:
        return Considered(
            name,
            False,
            f"needs {needed:.0f} MB and the device has {device.total_mb:.0f} MB in all",
            never_fits=True,
        )
    if free is not None and wanted > free:
        words = f"needs {wanted:.0f} MB with its margin and {free:.0f} MB are free"
        return Considered(name, False, words, short_mb=wanted - free)
    room = "" if free is None else f" of {free:.0f} MB free"
    return Considered(name, True, f"needs {needed:.0f} MB{room}")


def _decision(case: Case, accepted: list[Device], considered: tuple[Considered, ...]) -> Placement:
    device = accepted[0]
    dtype, said_of_dtype = choose_dtype(case.preferences, device, case.needs.quantisers)
    estimate = case.needs.estimate(loaded_as(case, device), device)
    chosen = next(c for c in considered if c.accepted)
    before = considered[: considered.index(chosen)]
    reasons = [f"{chosen.name}: {chosen.verdict}", *said_of_dtype]
    reasons += [f"not {c.name}: {c.verdict}" for c in before]
    return Placement(
        device=chosen.name,
        dtype=dtype,
        backend=device.backend,
        reasons=tuple(reasons),
        fallbacks=tuple(str(other.torch_device) for other in accepted[1:]),
        degraded=_degraded(case, device, considered),
        needed_mb=needed_mb(case, device),
        estimate_source=estimate.source if estimate else None,
        considered=considered,
        short_of_memory=any(_worth_room(case, c, chosen) for c in before),
    )


def _split(case: Case) -> Placement | None:
    """Over all the devices that would do but for their size, where that is allowed."""
    wishes = case.preferences
    if not (wishes.allow_split and case.needs.can_split) or wishes.precision in QUANTISED:
        return None
    judged = [(device, _judge(case, request, device)) for request, device in candidates(case)]
    devices = [d for d, said in judged if d and (said.accepted or said.short_mb or said.never_fits)]
    devices = [d for d in devices if str(d.torch_device) not in case.excluded]
    split = split_over(case, devices)
    if split is None:
        return None
    first = next(d for d in devices if d.torch_device in split.max_mb)
    dtype, said_of_dtype = choose_dtype(wishes, first, case.needs.quantisers)
    return Placement(
        device=str(first.torch_device),
        dtype=dtype,
        backend=first.backend,
        reasons=(f"split over {split}", *said_of_dtype),
        degraded=f"split over {split}",
        needed_mb=split.weights_mb,
        estimate_source=split.source,
        considered=tuple(said for _, said in judged),
        short_of_memory=True,
        split=split,
    )


def _quantised(case: Case) -> Placement | None:
    """On one device with smaller weights, where that is allowed."""
    wishes = case.preferences
    if not wishes.allow_quantization or wishes.precision in QUANTISED:
        return None
    for precision in QUANTISED:
        smaller = replace(case, preferences=replace(wishes, precision=precision))
        try:
            found = _whole(smaller)
        except RpgenError:
            continue
        because = f"{precision} because it fits nowhere as it is"
        return replace(
            found,
            reasons=(because, *found.reasons),
            degraded=found.degraded or because,
            short_of_memory=True,
        )
    return None


def _worth_room(case: Case, passed_over: Considered, chosen: Considered) -> bool:
    """Whether a device is worth freeing memory for: not where its neighbour has room, unless
    it was asked for by number."""
    if passed_over.short_mb is None:
        return False
    by_number = case.preferences.device is not None and case.preferences.device.index is not None
    kinds = {name.partition(":")[0] for name in (passed_over.name, chosen.name)}
    return len(kinds) == 2 or (by_number and passed_over is not chosen)


def _degraded(case: Case, device: Device, considered: tuple[Considered, ...]) -> str | None:
    """What was asked for and not given, with the reason; None where nothing was lost."""
    asked = case.preferences.device
    if asked and not means(asked, device):
        return f"{asked} was asked for: {considered[0].verdict}"
    listed = case.preferences.priority
    if not asked and listed and not any(means(request, device) for request in listed):
        return f"{listed[0]} was asked for: {considered[0].verdict}"
    return None


def _forced(case: Case, request: Request) -> Placement:
    """The device that must be taken: no table, no memory check; only its presence counts."""
    devices = devices_of(case, request)
    if not devices:
        why = why_not_here(case.snapshot, request)
        raise UsageError(f"{request} was forced and can't be had: {why}")
    device = devices[0]
    dtype, said_of_dtype = choose_dtype(case.preferences, device, case.needs.quantisers)
    estimate = case.needs.estimate(loaded_as(case, device), device)
    name = str(device.torch_device)
    return Placement(
        device=name,
        dtype=dtype,
        backend=device.backend,
        reasons=(f"{name}: forced, so nothing was checked", *said_of_dtype),
        needed_mb=needed_mb(case, device),
        estimate_source=estimate.source if estimate else None,
        considered=(Considered(name, True, "forced"),),
    )


def _nothing_left(considered: list[Considered]) -> RpgenError:
    too_full = any(c.short_mb is not None or c.never_fits for c in considered)
    named = [c for c in considered if c.here or not too_full]
    listing = "; ".join(f"{c.name}: {c.verdict}" for c in named)
    if too_full:
        return DoesNotFitError(
            f"The model fits on no device that it may use ({listing}). "
            "Free memory, take a smaller dtype, or use --weights tiny."
        )
    return UsageError(f"No device may be used ({listing}). Widen compatible_devices.")
