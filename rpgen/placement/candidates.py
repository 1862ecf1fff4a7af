"""The devices that may take a model, best first, and what it would take on each.

Nothing is ruled out here but what torch can't compute on: verdicts are `choose`'s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rpgen.families import Family
from rpgen.hardware.types import TORCH_BACKENDS, Backend, Device, HardwareSnapshot, State
from rpgen.placement.estimate import Needs
from rpgen.placement.matrix import Matrix
from rpgen.placement.precision import choose_dtype, loaded_in
from rpgen.placement.preferences import Preferences, Request


@dataclass(frozen=True)
class Case:
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


def candidates(case: Case) -> Iterator[tuple[Request, Device | None]]:
    """Every device once, best first. None: the backend has no device that can be used."""
    order = default_order(case.preferences, case.family, case.needs.model_type, case.matrix)
    asked = case.preferences.device
    wishes = [*([asked] if asked else []), *order, Request(Backend.CPU)]
    if asked and asked.index is not None:
        wishes.insert(1, Request(asked.backend))  # its neighbours come before other backends
    seen: set[str] = set()
    for request in dict.fromkeys(wishes):
        devices = devices_of(case, request)
        if not devices and str(request) not in seen:
            seen.add(str(request))
            yield request, None
        for device in devices:
            if device.torch_device not in seen:
                seen.add(str(device.torch_device))
                yield request, device


def devices_of(case: Case, request: Request) -> list[Device]:
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


def _fit(case: Case, device: Device) -> float:
    """Smaller is better: a language model takes the most room, others the least that will do."""
    free = case.free(device)
    room = free if free is not None else device.total_mb
    if room is None:
        return 0.0
    if case.family is Family.TEXT_GENERATION:
        return -room
    needed = needed_mb(case, device)
    return room if needed is not None else -room


def needed_mb(case: Case, device: Device) -> float | None:
    """What the model takes there: the caller's figure for the backend, or our estimate."""
    told = case.preferences.compatibility.get(device.backend)
    if told and told.peak_mb is not None:
        return told.peak_mb
    estimate = case.needs.estimate(loaded_as(case, device), device)
    return estimate.peak_mb if estimate else None


def loaded_as(case: Case, device: Device) -> str | None:
    """The dtype that the weights will take there."""
    dtype = choose_dtype(case.preferences, device, case.needs.quantisers)[0]
    return loaded_in(dtype, device.backend)


def why_not_here(snapshot: HardwareSnapshot, request: Request) -> str:
    """Why a backend, or one of its devices, can't take a torch model on this machine."""
    report = snapshot.report(request.backend)
    if request.backend not in TORCH_BACKENDS:
        here = "" if report.available else f", and it isn't here: {report.reason}"
        return f"{request.backend} computes where it is named as the device, not in a list{here}"
    if report.available:
        count = len(report.devices)
        return f"there is no {request}: this machine has {count} of its kind"
    if report.state is State.SOFTWARE:
        return f"{request.backend} is imitated in software here"
    remedy = f" ({report.remedy})" if report.remedy else ""
    return f"{report.reason or 'it is not on this machine'}{remedy}"


def means(request: Request, device: Device) -> bool:
    """Whether a request can mean this device; "cuda" is torch's name for ROCm as well."""
    kind = str(device.torch_device).partition(":")[0]
    same = request.backend in (device.backend, kind)
    return same and request.index in (None, device.index)
