"""AMD GPUs: the bus, the kernel's compute driver (`/dev/kfd`), ROCm, and torch's build."""

from rpgen.hardware import pci
from rpgen.hardware.packages import torch_build
from rpgen.hardware.probes.verdict import absent, unusable, with_torch
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, Step

MB = 2**20
_NODES = "sys/class/kfd/kfd/topology/nodes"
_VRAM = {"1", "2"}  # heap types of the kernel: memory of the device, public and private

ROCM_TORCH = "install a ROCm build of torch: see pytorch.org/get-started"
VISIBLE = ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def probe(here: Surroundings) -> BackendReport:
    on_bus = pci.accelerators(here, pci.AMD)
    torch = torch_build(here.search_path)
    rocm = rocm_version(here)
    gpus = _gpus(here)
    facts = {
        "rocm_version": rocm,
        "hip_version": torch.hip if torch else None,
        "devices_on_bus": len(on_bus),
        "visible_devices": {name: here.env[name] for name in VISIBLE if name in here.env},
    }
    evidence = [
        Evidence(Step.LIBRARY, rocm is not None, f"ROCm {rocm}" if rocm else "no ROCm found"),
        Evidence(Step.DEVICE, bool(gpus or on_bus), _seen(gpus, on_bus)),
    ]
    if not gpus and not on_bus:
        remedy = "needs an AMD GPU, the amdgpu driver, and a ROCm build of torch"
        return absent(Backend.ROCM, "no AMD GPU found", remedy, evidence, facts)
    if not here.exists("dev/kfd"):
        reason = f"{_seen(gpus, on_bus)} found, but the driver offers no /dev/kfd"
        remedy = "install AMD's driver with ROCm; a container needs --device /dev/kfd"
        return unusable(Backend.ROCM, reason, remedy, evidence, gpus, facts)
    if not here.may_open("dev/kfd"):
        reason = f"{_seen(gpus, on_bus)} found, but this user may not open /dev/kfd"
        remedy = "add the user to the groups render and video, and log in again"
        return unusable(Backend.ROCM, reason, remedy, evidence, gpus, facts)
    shown, hidden_by = _visible(here, gpus)
    if not shown:
        named = f"{hidden_by} hides" if hidden_by else "/dev/kfd lists none of"
        reason = f"{named} {_seen(gpus, on_bus)}"
        return unusable(
            Backend.ROCM, reason, f"unset {hidden_by or VISIBLE[0]}", evidence, facts=facts
        )
    built = bool(torch and torch.hip)
    return with_torch(Backend.ROCM, shown, evidence, torch, built, ROCM_TORCH, facts)


def rocm_version(here: Surroundings) -> str | None:
    """The installed ROCm: `ROCM_HOME` (or `ROCM_PATH`), else /opt/rocm."""
    home = here.env.get("ROCM_HOME") or here.env.get("ROCM_PATH") or "/opt/rocm"
    return here.text(f"{home}/.info/version")


def _gpus(here: Surroundings) -> tuple[Device, ...]:
    """The nodes of the kernel's compute topology that have vector units: its GPUs."""
    found: list[Device] = []
    for node in sorted(here.names(_NODES), key=lambda name: (len(name), name)):
        fields = _fields(here, f"{_NODES}/{node}/properties")
        if int(fields.get("simd_count", "0")) == 0:
            continue
        version = int(fields.get("gfx_target_version", "0"))
        gfx = f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}" if version else None
        found.append(
            Device(
                Backend.ROCM,
                len(found),
                _name(here, node, gfx),
                torch_device=f"cuda:{len(found)}",
                total_mb=_memory_mb(here, node),
                dtypes=("fp32", "fp16", "bf16") if version >= 90000 else ("fp32",),
                facts={"architecture": gfx},
            )
        )
    return tuple(found)


def _name(here: Surroundings, node: str, gfx: str | None) -> str:
    market = here.text(f"{_NODES}/{node}/name")
    return market if market else f"AMD GPU ({gfx})" if gfx else "AMD GPU"


def _memory_mb(here: Surroundings, node: str) -> float | None:
    sizes = []
    for bank in here.names(f"{_NODES}/{node}/mem_banks"):
        fields = _fields(here, f"{_NODES}/{node}/mem_banks/{bank}/properties")
        if fields.get("heap_type") in _VRAM:
            sizes.append(int(fields.get("size_in_bytes", "0")))
    return sum(sizes) / MB if sizes else None


def _fields(here: Surroundings, name: str) -> dict[str, str]:
    """A properties file: lines of a name and a whole number."""
    pairs = (line.split() for line in (here.text(name) or "").splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _visible(here: Surroundings, gpus: tuple[Device, ...]) -> tuple[tuple[Device, ...], str]:
    """The devices that no variable hides, counted anew, and the variable that hid the rest.

    Identifiers ("GPU-...") can't be told apart here; they leave all devices visible.
    """
    for name in VISIBLE:
        value = here.env.get(name)
        if value is None or "GPU-" in value:
            continue
        kept: list[Device] = []
        for entry in value.split(","):
            if not entry.strip().isdigit() or int(entry) >= len(gpus):
                break
            kept.append(gpus[int(entry)])
        gpus = tuple(
            Device(
                Backend.ROCM,
                number,
                gpu.name,
                f"cuda:{number}",
                gpu.total_mb,
                dtypes=gpu.dtypes,
                facts=gpu.facts,
            )
            for number, gpu in enumerate(kept)
        )
        if not gpus:
            return (), f"{name}={value!r}"
    return gpus, ""


def _seen(gpus: tuple[Device, ...], on_bus: tuple[pci.PciDevice, ...]) -> str:
    names = [gpu.name for gpu in gpus] or [device.label for device in on_bus]
    return ", ".join(names) or "no AMD GPU"
