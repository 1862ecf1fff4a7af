"""Graphics and compute devices on the PCI bus, whether or not a driver knows them."""

import os
from dataclasses import dataclass

from rpgen.hardware.surroundings import Surroundings

NVIDIA = 0x10DE
AMD = 0x1002
INTEL = 0x8086
GOOGLE = 0x1AE0

_BUS = "sys/bus/pci/devices"
_DISPLAY = 0x03
_ACCELERATOR = 0x12


@dataclass(frozen=True)
class PciDevice:
    address: str
    vendor: int
    device: int
    kind: int  # the class: 0x03 display, 0x12 processing accelerator
    driver: str | None

    @property
    def label(self) -> str:
        return f"PCI device {self.vendor:04x}:{self.device:04x}"


def accelerators(here: Surroundings, vendor: int) -> tuple[PciDevice, ...]:
    """The display controllers and processing accelerators of one vendor, by address."""
    found = (_read(here, address) for address in here.names(_BUS))
    return tuple(
        device
        for device in found
        if device and device.vendor == vendor and device.kind in (_DISPLAY, _ACCELERATOR)
    )


def _read(here: Surroundings, address: str) -> PciDevice | None:
    folder = f"{_BUS}/{address}"
    numbers = [here.text(f"{folder}/{name}") for name in ("vendor", "device", "class")]
    try:
        vendor, device, kind = (int(number or "", 16) for number in numbers)
    except ValueError:
        return None
    return PciDevice(address, vendor, device, kind >> 16, _driver(here, folder))


def _driver(here: Surroundings, folder: str) -> str | None:
    try:
        return os.path.basename(here.path(f"{folder}/driver").readlink())  # noqa: PTH119
    except OSError:
        return None
