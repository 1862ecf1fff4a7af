"""What may be done with a model that fits nowhere as it is: it is split, or made smaller."""

from dataclasses import dataclass
from typing import Any

import pytest

from rpgen.errors import DoesNotFitError, UsageError
from rpgen.families import Family
from rpgen.hardware.types import Backend, HardwareSnapshot
from rpgen.placement.choose import Placement, place
from rpgen.placement.estimate import MB, Needs
from rpgen.placement.precision import installed, quantiser
from rpgen.placement.preferences import parse

SMALLER = {"fp16": 2.0, "bf16": 2.0, "int8": 3.0, "int4": 5.0}


@dataclass(frozen=True)
class Figures:
    mb: float
    parameters: int | None = 1
    source: str = "safetensors headers"

    def bytes_by_dtype(self, dtype: str | None) -> int:
        return int(self.mb * MB / SMALLER.get(dtype or "fp32", 1.0))


def put(
    mb: float,
    machine: HardwareSnapshot,
    free_mb: dict[str, float | None],
    quantisers: tuple[str, ...] | None = ("bitsandbytes",),
    **wishes: Any,
) -> Placement:
    needs = Needs(
        Family.TEXT_GENERATION, figures=Figures(mb), quantisers=quantisers, can_split=True
    )
    return place(needs, machine, free_mb, parse(wishes))


@pytest.mark.parametrize("precision", ["int8", "int4", "8bit"])
def test_a_precision_that_is_asked_for(
    machines: dict[str, HardwareSnapshot], precision: str
) -> None:
    found = put(1000, machines["one 8 GB GPU"], {}, precision=precision)
    assert found.dtype == {"8bit": "int8"}.get(precision, precision)
    assert found.reasons[1] == f"{found.dtype} was asked for, by bitsandbytes"
    assert found.degraded is None
    assert found.needed_mb is not None
    assert found.needed_mb < 500


def test_without_a_package_it_is_an_error_that_says_what_to_install(
    machines: dict[str, HardwareSnapshot],
) -> None:
    with pytest.raises(UsageError, match=r"pip install 'rpgen\[quantize\]'"):
        put(100, machines["no accelerator"], {}, quantisers=(), precision="int8")
    with pytest.raises(UsageError, match="can't be asked for it"):
        put(100, machines["no accelerator"], {}, quantisers=None, precision="int4")


def test_nothing_is_done_that_was_not_allowed(machines: dict[str, HardwareSnapshot]) -> None:
    with pytest.raises(DoesNotFitError):
        put(9000, machines["one 8 GB GPU"], {"cuda:0": 8000.0, "cpu": 3000.0})


def test_smaller_weights_where_that_is_enough(machines: dict[str, HardwareSnapshot]) -> None:
    free: dict[str, float | None] = {"cuda:0": 8000.0, "cpu": 3000.0}
    found = put(9000, machines["one 8 GB GPU"], free, allow_quantization=True)
    assert (found.device, found.dtype) == ("cuda:0", "int8")
    assert found.degraded is not None
    assert found.degraded.startswith("int8 because it fits nowhere as it is; whole: cuda:0: needs")
    assert put(20_000, machines["one 8 GB GPU"], free, allow_quantization=True).dtype == "int4"
    with pytest.raises(DoesNotFitError):
        put(90_000, machines["one 8 GB GPU"], free, allow_quantization=True)


def test_over_two_unequal_gpus(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["two unequal GPUs"]
    names = [d.torch_device for d in box.devices(Backend.CUDA)]
    totals = {str(d.torch_device): d.total_mb for d in box.devices(Backend.CUDA)}
    free = {name: total * 0.95 for name, total in totals.items() if total}
    mb = sum(free.values()) * 0.7
    found = put(mb, box, {**free, "cpu": 500.0}, allow_split=True, allow_quantization=True)
    assert found.split is not None
    assert list(found.split.max_mb)[:2] == sorted(names, key=lambda n: -(free[str(n)]))
    assert not found.split.on_disk
    assert all(most < free.get(name, 501.0) for name, most in found.split.max_mb.items())
    assert found.dtype is None
    assert found.degraded is not None
    assert found.degraded.startswith("split over cuda:")


def test_the_disk_only_where_that_is_allowed(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["2 GB container"]
    with pytest.raises(DoesNotFitError):
        put(5000, box, {"cpu": 1500.0}, allow_split=True)
    found = put(5000, box, {"cpu": 1500.0}, allow_split=True, allow_disk=True)
    assert found.split is not None
    assert found.split.on_disk
    assert str(found.split) == "cpu, disk"


def test_what_may_not_be_used_takes_no_share(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["one 8 GB GPU"]
    free: dict[str, float | None] = {"cuda:0": 8000.0, "cpu": 6000.0}
    wishes = {"allow_split": True, "compatible_devices": ["cuda"]}
    with pytest.raises(DoesNotFitError):
        put(10_000, box, free, **wishes)
    both = put(10_000, box, free, allow_split=True)
    assert both.split is not None
    assert set(both.split.max_mb) == {"cuda:0", "cpu"}


def test_which_package_does_it() -> None:
    names = ("bitsandbytes", "torchao", "optimum-quanto")
    assert quantiser("int8", Backend.CPU, names) == "bitsandbytes"
    assert quantiser("int8", Backend.CPU, names[1:]) == "torchao"
    assert quantiser("int4", Backend.CPU, names[1:]) == "optimum-quanto"
    assert quantiser("int4", Backend.MPS, names) is None
    assert installed(lambda module: module == "torchao" or None) == ("torchao",)

    def no_parent(module: str) -> None:
        raise ModuleNotFoundError(module)

    assert installed(no_parent) == ()
