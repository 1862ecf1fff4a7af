"""Where a model goes: a pure function of its needs, the machine, free memory and preferences.

The candidates are put in order (what was asked for, then the priority list or the matrix's
own order, the CPU last), each gets a verdict, and the first one accepted is the answer. The
others that would do are the chain of fallbacks. Nothing is measured or changed here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rpgen.errors import DoesNotFitError, RpgenError, UsageError
from rpgen.families import Family
from rpgen.hardware.types import TORCH_BACKENDS, Backend, Device, HardwareSnapshot, State
from rpgen.placement.estimate import Needs
from rpgen.placement.matrix import GUIDE, Matrix
from rpgen.placement.preferences import Preferences, Request

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
    case = _Case(needs, snapshot, free_mb, preferences or Preferences(), matrix, excluded or {})
    if case.preferences.force_device and case.preferences.device:
        return _forced(case, case.preferences.device)
    considered: list[Considered] = []
    accepted: list[Device] = []
    for request, device in _candidates(case):
        verdict = _judge(case, request, device)
        considered.append(verdict)
        if verdict.accepted and device is not None:
            accepted.append(device)
    if not accepted:
        raise _nothing_left(considered)
    return _decision(case, accepted, tuple(considered))


@dataclass(frozen=True)
class _Case:
    needs: Needs
    snapshot: HardwareSnapshot
    free_mb: Mapping[str, float | None]
    preferences: Preferences
    matrix: Matrix
    excluded: Mapping[str, str]

    @property
    def family(self) -> Family | None:
        return self.needs.family or self.preferences.family

    def free(self, device: Device) -> float | None:
        return self.free_mb.get(str(device.torch_device))


def default_order(
    preferences: Preferences, family: Family | None, model_type: str | None, matrix: Matrix
) -> tuple[Request, ...]:
    """The caller's priority list, or the matrix's order; unranked torch backends come after."""
    if preferences.priority is not None:
        return preferences.priority
    ranked = [b for b in matrix.priority(family, model_type) if b in TORCH_BACKENDS]
    left_out = [b for b in TORCH_BACKENDS if b not in ranked]
    return tuple(Request(b) for b in (*ranked[:-1], *left_out, Backend.CPU))


def _candidates(case: _Case) -> Iterator[tuple[Request, Device | None]]:
    """Every device once, best first. None: the backend has no device that can be used."""
    order = default_order(case.preferences, case.family, case.needs.model_type, case.matrix)
    asked = case.preferences.device
    wishes = [*([asked] if asked else []), *order, Request(Backend.CPU)]
    if asked and asked.index is not None:
        wishes.insert(1, Request(asked.backend))  # its neighbours come before other backends
    seen: set[str] = set()
    for request in dict.fromkeys(wishes):
        devices = _devices(case, request)
        if not devices and str(request) not in seen:
            seen.add(str(request))
            yield request, None
        for device in devices:
            if device.torch_device not in seen:
                seen.add(str(device.torch_device))
                yield request, device


def _devices(case: _Case, request: Request) -> list[Device]:
    """The devices that a request means, the preferred one first, then the best fit.

    torch calls ROCm's devices "cuda" too, so that name means them where there is no CUDA.
    """
    if request.backend not in TORCH_BACKENDS:
        return []
    found = [d for d in case.snapshot.devices(request.backend) if d.torch_device]
    if not found and request.backend is Backend.CUDA:
        found = [d for d in case.snapshot.devices(Backend.ROCM) if d.torch_device]
    if request.backend is Backend.CPU and not found:
        found = [_the_cpu(case.snapshot)]
    if request.index is not None:
        return [device for device in found if device.index == request.index]
    preferred = case.preferences.preferred_index
    return sorted(found, key=lambda d: (d.index != preferred, _fit(case, d), d.index))


def _the_cpu(snapshot: HardwareSnapshot) -> Device:
    """The processor is always there, also on a machine that nobody looked at closely."""
    return Device(
        Backend.CPU, 0, "CPU", "cpu", snapshot.memory_limit_mb or snapshot.memory_total_mb
    )


def _fit(case: _Case, device: Device) -> float:
    """Smaller is better: a language model takes the most room, others the least that will do."""
    free = case.free(device)
    room = free if free is not None else device.total_mb
    if room is None:
        return 0.0
    if case.family is Family.TEXT_GENERATION:
        return -room
    needed = _needed_mb(case, device)
    return room if needed is not None else -room


def _needed_mb(case: _Case, device: Device) -> float | None:
    """What the model takes there: the caller's figure for the backend, or our estimate."""
    told = case.preferences.compatibility.get(device.backend)
    if told and told.peak_mb is not None:
        return told.peak_mb
    estimate = case.needs.estimate(_loaded_as(case, device))
    return estimate.peak_mb if estimate else None


def _loaded_as(case: _Case, device: Device) -> str | None:
    """The dtype that the weights will take there: on the CPU fp32, unless asked otherwise."""
    dtype = choose_dtype(case.preferences, device)[0]
    return dtype or ("fp32" if device.backend is Backend.CPU else None)


def _judge(case: _Case, request: Request, device: Device | None) -> Considered:
    if device is None:
        return Considered(str(request), False, why_not_here(case.snapshot, request), here=False)
    name = str(device.torch_device)
    if name in case.excluded:
        return Considered(name, False, case.excluded[name], never_fits=True)
    against = _not_allowed(case, device) or _not_compatible(case, device)
    return Considered(name, False, against) if against else _judge_memory(case, device, name)


def why_not_here(snapshot: HardwareSnapshot, request: Request) -> str:
    """Why a backend, or one of its devices, can't take a torch model on this machine."""
    report = snapshot.report(request.backend)
    if request.backend not in TORCH_BACKENDS:
        here = "" if report.available else f", and it isn't here: {report.reason}"
        return f"{request.backend} runs exported models; this pool places torch modules{here}"
    if report.available:
        count = len(report.devices)
        return f"there is no {request}: this machine has {count} of its kind"
    if report.state is State.SOFTWARE:
        return f"{request.backend} is imitated in software here"
    remedy = f" ({report.remedy})" if report.remedy else ""
    return f"{report.reason or 'it is not on this machine'}{remedy}"


def _not_allowed(case: _Case, device: Device) -> str | None:
    allowed = case.preferences.compatible_devices
    if allowed is None or any(_means(request, device) for request in allowed):
        return None
    return "it is not among the compatible_devices"


def _means(request: Request, device: Device) -> bool:
    """Whether a request can mean this device; "cuda" is torch's name for ROCm as well."""
    kind = str(device.torch_device).partition(":")[0]
    same = request.backend in (device.backend, kind)
    return same and request.index in (None, device.index)


def _not_compatible(case: _Case, device: Device) -> str | None:
    """The caller's word comes first, a device named by the caller second, the tables last."""
    told = case.preferences.compatibility.get(device.backend)
    if told and not told.compatible:
        return told.reason or "hw_compatibility says that it is not compatible"
    named = [case.preferences.device, *(case.preferences.priority or ())]
    if told or any(request and _means(request, device) for request in named):
        return None
    cell = case.matrix.cell(device.backend, case.family, case.needs.model_type)
    if cell is None or cell.supported:
        return None
    kind = case.needs.model_type if case.needs.model_type in case.matrix.models else case.family
    return f"{kind} models are not well supported on {device.backend}"


def _judge_memory(case: _Case, device: Device, name: str) -> Considered:
    needed, free = _needed_mb(case, device), case.free(device)
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


def _decision(case: _Case, accepted: list[Device], considered: tuple[Considered, ...]) -> Placement:
    device = accepted[0]
    dtype, said_of_dtype = choose_dtype(case.preferences, device)
    estimate = case.needs.estimate(_loaded_as(case, device))
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
        needed_mb=_needed_mb(case, device),
        estimate_source=estimate.source if estimate else None,
        considered=considered,
        short_of_memory=any(_worth_room(case, c, chosen) for c in before),
    )


def _worth_room(case: _Case, passed_over: Considered, chosen: Considered) -> bool:
    """Whether a device is worth freeing memory for: not where its neighbour has room, unless
    it was asked for by number."""
    if passed_over.short_mb is None:
        return False
    by_number = case.preferences.device is not None and case.preferences.device.index is not None
    kinds = {name.partition(":")[0] for name in (passed_over.name, chosen.name)}
    return len(kinds) == 2 or (by_number and passed_over is not chosen)


def _degraded(case: _Case, device: Device, considered: tuple[Considered, ...]) -> str | None:
    """What was asked for and not given, with the reason; None where nothing was lost."""
    asked = case.preferences.device
    if asked and not _means(asked, device):
        return f"{asked} was asked for: {considered[0].verdict}"
    listed = case.preferences.priority
    if not asked and listed and not any(_means(request, device) for request in listed):
        return f"{listed[0]} was asked for: {considered[0].verdict}"
    return None


def choose_dtype(preferences: Preferences, device: Device) -> tuple[str | None, tuple[str, ...]]:
    """The dtype to load in, and what is to be said of it. None: as the checkpoint has it."""
    asked = preferences.precision
    if asked == "fp32" or (asked and asked in device.dtypes):
        return asked, (f"{asked} was asked for",)
    if asked:
        return "fp32", (f"{asked} was asked for; {device.name} doesn't compute in it, fp32 does",)
    if not (preferences.force_low_memory or preferences.mixed_precision):
        return None, ()
    half = next((d for d in ("bf16", "fp16") if d in device.dtypes), None)
    why = "force_low_memory" if preferences.force_low_memory else "mixed_precision"
    if half is None:
        return None, (f"{why} found no half precision that {device.name} computes in",)
    return half, (f"{half} because of {why}",)


def _forced(case: _Case, request: Request) -> Placement:
    """The device that must be taken: no table, no memory check; only its presence counts."""
    devices = _devices(case, request)
    if not devices:
        why = why_not_here(case.snapshot, request)
        raise UsageError(f"{request} was forced and can't be had: {why}")
    device = devices[0]
    dtype, said_of_dtype = choose_dtype(case.preferences, device)
    estimate = case.needs.estimate(_loaded_as(case, device))
    name = str(device.torch_device)
    return Placement(
        device=name,
        dtype=dtype,
        backend=device.backend,
        reasons=(f"{name}: forced, so nothing was checked", *said_of_dtype),
        needed_mb=_needed_mb(case, device),
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
