"""Placement on simulated machines: every preference changes what happens."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.errors import DoesNotFitError, UsageError
from rpgen.families import Family
from rpgen.hardware.types import Backend, BackendReport, HardwareSnapshot, State
from rpgen.placement.choose import HEADROOM, Placement, place
from rpgen.placement.estimate import Needs
from rpgen.placement.preferences import parse

MB = 2**20


@dataclass(frozen=True)
class Figures:
    parameters: int | None
    source: str = "safetensors headers"

    def bytes_by_dtype(self, dtype: str | None) -> int | None:
        width = 2 if dtype in ("fp16", "bf16") else 4
        return None if self.parameters is None else self.parameters * width


def model(mb: float | None, family: Family | None = Family.EMBEDDING, **known: Any) -> Needs:
    """A model whose weights take `mb` in fp32."""
    figures = None if mb is None else Figures(int(mb * MB / 4))
    return Needs(family=family, figures=figures, **known)


def put(
    needs: Needs,
    snapshot: HardwareSnapshot,
    free: dict[str, float | None] | None = None,
    **preferences: Any,
) -> Placement:
    return place(needs, snapshot, free or {}, parse(preferences))


@pytest.mark.parametrize(
    ("name", "needs", "device"),
    [
        ("no accelerator", model(400), "cpu"),
        ("one 8 GB GPU", model(400), "cuda:0"),
        ("one 8 GB GPU", model(9_000), "cpu"),
        ("two unequal GPUs", model(400), "cuda:0"),  # the least room that will do
        ("two unequal GPUs", model(400, Family.TEXT_GENERATION), "cuda:1"),  # the largest
        ("two unequal GPUs", model(10_000), "cuda:1"),
        ("eight 80 GB GPUs", model(60_000, Family.TEXT_GENERATION), "cuda:0"),
        ("Apple silicon", model(400), "mps"),
        ("Apple silicon", model(400, Family.MULTIMODAL), "cpu"),  # the table's cross
        ("Apple silicon", model(400, Family.MULTIMODAL, model_type="clip"), "mps"),
        ("Apple silicon", model(400, Family.TEXT_GENERATION, model_type="llama"), "cpu"),
        ("ROCm", model(400), "cuda:0"),
        ("ROCm", model(400, Family.MULTIMODAL), "cpu"),
        ("2 GB container", model(400), "cpu"),
        ("OpenVINO only", model(400, Family.VISION), "cpu"),
        ("no accelerator", model(None), "cpu"),
        ("one 8 GB GPU", model(None, None), "cuda:0"),
    ],
)
def test_the_place_of_a_model(
    machines: dict[str, HardwareSnapshot], name: str, needs: Needs, device: str
) -> None:
    found = put(needs, machines[name])
    assert found.device == device
    assert found.degraded is None
    assert found.reasons


def test_what_can_never_fit_is_refused_with_the_numbers(
    machines: dict[str, HardwareSnapshot],
) -> None:
    with pytest.raises(DoesNotFitError, match=r"cpu: needs 3300 MB and the device has 2000 MB"):
        put(model(3_000), machines["2 GB container"])


def test_free_memory_decides_between_equal_devices(
    machines: dict[str, HardwareSnapshot],
) -> None:
    box = machines["two unequal GPUs"]
    found = put(model(400), box, {"cuda:0": 100.0, "cuda:1": 20_000.0, "cpu": 9_000.0})
    assert found.device == "cuda:1"
    assert found.fallbacks == ("cpu",)


def test_a_better_device_that_lacks_only_free_bytes_is_noticed(
    machines: dict[str, HardwareSnapshot],
) -> None:
    found = put(model(400), machines["one 8 GB GPU"], {"cuda:0": 10.0, "cpu": 9_000.0})
    assert found.device == "cpu"
    assert found.short_of_memory


def test_room_to_spare_is_asked_for(machines: dict[str, HardwareSnapshot]) -> None:
    needs = model(400)
    peak = needs.estimate("fp32", machines["one 8 GB GPU"].devices(Backend.CUDA)[0])
    assert peak is not None
    just, enough = peak.peak_mb * 1.01, peak.peak_mb * HEADROOM + 1
    box = machines["one 8 GB GPU"]
    assert put(needs, box, {"cuda:0": just, "cpu": 9e4}).device == "cpu"
    assert put(needs, box, {"cuda:0": enough, "cpu": 9e4}).device == "cuda:0"


def test_device_that_is_here(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["two unequal GPUs"]
    assert put(model(400), box, device="cpu").device == "cpu"
    assert put(model(400), box, device="cuda:1").device == "cuda:1"
    assert put(model(400), box, device="auto").device == "cuda:0"


@pytest.mark.parametrize("backend", ["cuda", "mps", "xpu", "rocm", "tpu"])
def test_device_that_is_not_here_falls_back_and_says_so(
    machines: dict[str, HardwareSnapshot], backend: str
) -> None:
    found = put(model(400), machines["no accelerator"], device=backend)
    assert found.device == "cpu"
    assert found.degraded is not None
    assert found.degraded.startswith(f"{backend} was asked for: ")


def test_the_torch_model_of_a_backend_lies_on_the_cpu(
    machines: dict[str, HardwareSnapshot],
) -> None:
    found = put(model(400), machines["OpenVINO only"], device="openvino")
    assert (found.device, found.degraded) == ("cpu", None)


def test_a_backend_in_a_list_of_priorities_is_no_device(
    machines: dict[str, HardwareSnapshot],
) -> None:
    found = put(model(400), machines["OpenVINO only"], priority_list=["openvino", "cpu"])
    assert found.device == "cpu"
    assert "not openvino: openvino computes where it is named as the device, not in a list" in (
        found.reasons
    )


def test_a_number_that_is_not_here_takes_a_neighbour(
    machines: dict[str, HardwareSnapshot],
) -> None:
    found = put(model(400), machines["one 8 GB GPU"], device="cuda:3")
    assert found.device == "cuda:0"
    assert found.degraded == (
        "cuda:3 was asked for: there is no cuda:3: this machine has 1 of its kind"
    )


def test_torch_calls_rocm_cuda(machines: dict[str, HardwareSnapshot]) -> None:
    found = put(model(400), machines["ROCm"], device="cuda:0")
    assert (found.device, found.degraded) == ("cuda:0", None)


def test_unusable_says_why_and_what_to_do(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["no accelerator"]
    unusable = BackendReport(
        Backend.CUDA,
        State.UNUSABLE,
        reason="this torch is built for the CPU",
        remedy="install a CUDA build of torch",
    )
    box = HardwareSnapshot(box.host, {**box.backends, Backend.CUDA: unusable}, 8, 32_000)
    found = put(model(400), box, device="cuda")
    assert found.degraded == (
        "cuda was asked for: this torch is built for the CPU (install a CUDA build of torch)"
    )


def test_force_device_skips_every_check(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["one 8 GB GPU"]
    asked: dict[str, Any] = {
        "device": "cuda",
        "hw_compatibility": {"cuda": {"compatible": False, "reason": "crashes"}},
    }
    assert put(model(9_000), box, **asked).device == "cpu"
    assert put(model(9_000), box, **asked, force_device=True).device == "cuda:0"


def test_a_forced_device_must_be_here(machines: dict[str, HardwareSnapshot]) -> None:
    with pytest.raises(UsageError, match="cuda was forced and can't be had"):
        put(model(4), machines["no accelerator"], device="cuda", force_device=True)


def test_priority_list(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["one 8 GB GPU"]
    assert put(model(400), box, priority_list=["mps", "cpu", "cuda"]).device == "cpu"
    found = put(model(400), machines["no accelerator"], priority_list=["cuda"])
    assert found.device == "cpu"
    assert found.degraded is not None
    both = put(model(400), machines["no accelerator"], priority_list=["cuda", "cpu"])
    assert both.degraded is None


def test_a_priority_list_overrules_the_table(machines: dict[str, HardwareSnapshot]) -> None:
    needs = model(400, Family.MULTIMODAL)
    assert put(needs, machines["Apple silicon"]).device == "cpu"
    assert put(needs, machines["Apple silicon"], priority_list=["mps", "cpu"]).device == "mps"


def test_preferred_index(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["two unequal GPUs"]
    assert put(model(400), box, preferred_index=1).device == "cuda:1"
    assert put(model(400), box, preferred_index=0).device == "cuda:0"
    assert put(model(400, Family.TEXT_GENERATION), box, preferred_index=0).device == "cuda:0"
    assert put(model(10_000), box, preferred_index=0).device == "cuda:1"
    assert put(model(400), box, preferred_index=5).device == "cuda:0"


def test_compatible_devices(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["two unequal GPUs"]
    assert put(model(400), box, compatible_devices=["cpu"]).device == "cpu"
    assert put(model(400), box, compatible_devices=["cuda:1", "cpu"]).device == "cuda:1"
    with pytest.raises(UsageError, match="compatible_devices"):
        put(model(400), box, compatible_devices=["mps"])


def test_hw_compatibility(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["one 8 GB GPU"]
    no = {"cuda": {"compatible": False, "reason": "known to crash"}}
    found = put(model(400), box, hw_compatibility=no)
    assert found.device == "cpu"
    assert "not cuda:0: known to crash" in found.reasons
    peak = {"cuda": {"compatible": True, "memory_usage": {"peak": 9_000}}}
    assert put(model(400), box, hw_compatibility=peak).device == "cpu"
    small = {"cuda": {"compatible": True, "memory_usage": {"peak": 100}}}
    assert put(model(400), box, hw_compatibility=small).needed_mb == 100
    yes = {"mps": {"compatible": True}}
    multimodal = model(400, Family.MULTIMODAL)
    assert put(multimodal, machines["Apple silicon"], hw_compatibility=yes).device == "mps"


def test_precision(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["one 8 GB GPU"]
    assert put(model(400), box).dtype is None
    assert put(model(400), box, precision="fp16").dtype == "fp16"
    assert put(model(9_000), box, precision="bf16").device == "cuda:0"  # half the bytes fit
    old = put(model(400), machines["an old GPU"], precision="fp16")
    assert old.dtype == "fp32"
    assert any("fp16 was asked for" in reason for reason in old.reasons)


def test_mixed_precision_takes_what_the_device_computes_in(
    machines: dict[str, HardwareSnapshot],
) -> None:
    assert put(model(400), machines["one 8 GB GPU"], mixed_precision=True).dtype == "bf16"
    assert put(model(400), machines["an old GPU"], mixed_precision=True).dtype is None


def test_force_low_memory_halves_where_it_can(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["bf16 processor"]
    plain, low = put(model(400), box), put(model(400), box, force_low_memory=True)
    assert (plain.dtype, low.dtype) == (None, "bf16")
    assert plain.needed_mb is not None
    assert low.needed_mb is not None
    assert low.needed_mb < plain.needed_mb


def test_family_changes_the_row(machines: dict[str, HardwareSnapshot]) -> None:
    needs = model(400, None)
    box = machines["Apple silicon"]
    assert put(needs, box).device == "mps"
    assert put(needs, box, model_family="multimodal").device == "cpu"


def test_software_devices_are_never_chosen(machines: dict[str, HardwareSnapshot]) -> None:
    box = machines["no accelerator"]
    reports = {**box.backends, Backend.XPU: BackendReport(Backend.XPU, State.SOFTWARE)}
    soft = HardwareSnapshot(box.host, reports, 8, 32_000)
    found = put(model(400), soft, device="xpu")
    assert found.device == "cpu"
    assert found.degraded == "xpu was asked for: xpu is imitated in software here"


def test_what_failed_already_is_not_tried_again(machines: dict[str, HardwareSnapshot]) -> None:
    found = place(
        model(400),
        machines["one 8 GB GPU"],
        {},
        parse({"device": "cuda"}),
        excluded={"cuda:0": "it ran out of memory while loading"},
    )
    assert found.device == "cpu"
    assert found.degraded == "cuda was asked for: it ran out of memory while loading"


@given(
    free=st.dictionaries(
        st.sampled_from(["cpu", "cuda:0", "cuda:1"]), st.floats(0, 50_000), max_size=3
    ),
    mb=st.floats(1, 40_000),
    family=st.sampled_from(list(Family)),
)
def test_whatever_is_chosen_fits(free: dict[str, float], mb: float, family: Family) -> None:
    from rpgen.hardware.types import Device, HostIdentity

    reports = {
        Backend.CUDA: BackendReport(
            Backend.CUDA,
            State.AVAILABLE,
            devices=tuple(
                Device(Backend.CUDA, i, "GPU", f"cuda:{i}", size)
                for i, size in enumerate((8_000.0, 24_000.0))
            ),
        )
    }
    box = HardwareSnapshot(HostIdentity("box", "Linux", "x86_64"), reports, 8, 32_000)
    try:
        found = place(model(mb, family), box, dict(free))
    except DoesNotFitError:
        return
    assert found.needed_mb is not None
    assert found.needed_mb <= free.get(found.device, float("inf"))
    assert found.device not in found.fallbacks
