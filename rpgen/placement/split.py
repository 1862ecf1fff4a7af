"""How much of a model each device takes when none takes the whole: shares, not layers.

Which layer goes where is accelerate's device map to work out when the model is there; it fills
the devices in the order given, and what is left over goes to the disk, where that is allowed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rpgen.hardware.types import Device
from rpgen.placement.candidates import Case, loaded_as
from rpgen.placement.estimate import working_mb

DISK = "disk"
_USABLE = 0.9  # of what is free: allocators round up
_MARGIN = 1.05  # layers don't fill a device to the brim


@dataclass(frozen=True)
class Split:
    """The most that each device may take, in MB; `on_disk` where the rest goes to the disk."""

    max_mb: Mapping[str, float]
    weights_mb: float
    on_disk: bool
    source: str

    def __str__(self) -> str:
        names = [*self.max_mb, *([DISK] if self.on_disk else [])]
        return ", ".join(names)


def split_over(case: Case, devices: Sequence[Device]) -> Split | None:
    """None where it can't be: the size isn't known, or all of them together are too small."""
    shares: dict[str, float] = {}
    weights_mb, source = 0.0, ""
    for device in devices:
        name, free = str(device.torch_device), case.free(device)
        estimate = case.needs.estimate(loaded_as(case, device), device)
        if estimate is None:
            return None
        weights_mb, source = max(weights_mb, estimate.weights_mb), estimate.source
        room = (device.total_mb if free is None else free) or 0.0
        share = room * _USABLE - working_mb(case.family, 0.0, device.backend) - estimate.cache_mb
        if share > 0:
            shares[name] = share
    fits = sum(shares.values()) >= weights_mb * _MARGIN
    on_disk = not fits and case.preferences.allow_disk
    if not shares or not (fits or on_disk) or (len(shares) == 1 and not on_disk):
        return None
    return Split(shares, weights_mb, on_disk, source)
