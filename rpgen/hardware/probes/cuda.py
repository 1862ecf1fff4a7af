"""NVIDIA GPUs: the bus, the driver, and whether the installed torch is built for them."""

from dataclasses import dataclass

from rpgen.hardware import pci
from rpgen.hardware.packages import TorchBuild, installed_versions, torch_build
from rpgen.hardware.probes import nvidia_smi, nvml
from rpgen.hardware.probes.nvidia_smi import NvidiaGpu
from rpgen.hardware.probes.verdict import absent, unusable, with_torch
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, Step

TIMEOUT = 15.0  # seconds; a driver that wakes up a GPU takes several
OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""The oldest driver branch that runs each major version of CUDA (NVIDIA's table)."""

ORDER_UNKNOWN = (
    "torch may number unequal GPUs otherwise than the driver: "
    "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or ask torch with --deep"
)

CUDNN = ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
"""The packages that torch takes cuDNN from."""

CUDA_TORCH = "install a CUDA build of torch: pip install torch, or see pytorch.org/get-started"


@dataclass(frozen=True)
class Driver:
    """What the driver says; `failure` is why it says nothing, "" where it does."""

    source: str
    gpus: tuple[NvidiaGpu, ...] = ()
    version: str | None = None
    failure: str = ""


def probe(here: Surroundings) -> BackendReport:
    on_bus = pci.accelerators(here, pci.NVIDIA)
    driver = _ask_driver(here)
    torch = torch_build(here.search_path)
    facts: dict[str, object] = {
        "driver_version": driver.version,
        "cuda_version": torch.cuda if torch else None,
        "cudnn_version": next(iter(installed_versions(CUDNN, here.search_path).values()), None),
        "devices_on_bus": len(on_bus),
        "visible_devices": here.env.get("CUDA_VISIBLE_DEVICES"),
        "index_order": here.env.get("CUDA_DEVICE_ORDER", "FASTEST_FIRST"),
    }
    if not driver.gpus:
        return _without_gpus(driver, [gpu.label for gpu in on_bus], facts)
    evidence = [
        Evidence(Step.LIBRARY, True, f"driver {driver.version or 'of unknown version'}"),
        Evidence(Step.DEVICE, True, f"{_listed(driver.gpus)} ({driver.source})"),
    ]
    shown = nvidia_smi.visible(driver.gpus, here.env.get("CUDA_VISIBLE_DEVICES"))
    if not shown:
        named = here.env["CUDA_VISIBLE_DEVICES"]
        return unusable(
            Backend.CUDA,
            f"CUDA_VISIBLE_DEVICES={named!r} hides {_listed(driver.gpus)}",
            "unset CUDA_VISIBLE_DEVICES, or name a GPU that is there",
            evidence,
            facts=facts,
        )
    if len({gpu.name for gpu in shown}) > 1 and "CUDA_DEVICE_ORDER" not in here.env:
        evidence.append(Evidence(Step.DEVICE, None, ORDER_UNKNOWN))
    devices = tuple(_device(number, gpu) for number, gpu in enumerate(shown))
    too_old = _too_old(driver.version, torch)
    if too_old:
        evidence.append(Evidence(Step.USABLE, False, too_old))
        remedy = "update NVIDIA's driver, or install a torch built for an older CUDA"
        return unusable(Backend.CUDA, too_old, remedy, evidence, devices, facts)
    built = bool(torch and torch.cuda)
    return with_torch(Backend.CUDA, devices, evidence, torch, built, CUDA_TORCH, facts)


def _without_gpus(driver: Driver, on_bus: list[str], facts: dict[str, object]) -> BackendReport:
    evidence = [
        Evidence(Step.LIBRARY, driver.version is not None, driver.failure),
        Evidence(Step.DEVICE, bool(on_bus), ", ".join(on_bus) or "no NVIDIA device on the bus"),
    ]
    if driver.version is not None:
        reason = f"NVIDIA's driver {driver.version} is loaded, but {driver.failure}"
        remedy = "see what nvidia-smi and dmesg say; a container needs --gpus all"
        return unusable(Backend.CUDA, reason, remedy, evidence, facts=facts)
    if on_bus:
        reason = f"an NVIDIA GPU is there ({on_bus[0]}), but {driver.failure}"
        remedy = "install NVIDIA's driver; a container needs --gpus all"
        return unusable(Backend.CUDA, reason, remedy, evidence, facts=facts)
    remedy = "needs an NVIDIA GPU with NVIDIA's driver and a CUDA build of torch"
    return absent(Backend.CUDA, "no NVIDIA GPU and no driver found", remedy, evidence, facts)


def _ask_driver(here: Surroundings) -> Driver:
    """nvidia-smi, else the management library, else what the kernel module shows."""
    version = kernel_driver(here)
    failures = []
    program = here.which("nvidia-smi")
    if program:
        answer = here.run([program, *nvidia_smi.QUERY], TIMEOUT)
        gpus = nvidia_smi.parse(answer.output)
        if gpus:
            return Driver("nvidia-smi", gpus, gpus[0].driver or version)
        said = (answer.output + answer.error).strip().splitlines()
        failures.append(f"nvidia-smi says: {said[0] if said else 'nothing'}")
    else:
        failures.append("nvidia-smi isn't installed")
    library = next((found for name in nvml.LIBRARY_NAMES if (found := here.library(name))), None)
    if library is not None:
        try:
            gpus = nvml.gpus(library)
        except nvml.NvmlError as error:
            failures.append(str(error))
        else:
            if gpus:
                return Driver("NVML", gpus, gpus[0].driver or version)
            failures.append("NVML lists no GPU")
    gpus = _from_kernel(here)
    if gpus:
        return Driver("/proc/driver/nvidia", gpus, version)
    return Driver("", version=version, failure="; ".join(failures))


def kernel_driver(here: Surroundings) -> str | None:
    """The version of the kernel module that is loaded."""
    return here.text("sys/module/nvidia/version")


def _from_kernel(here: Surroundings) -> tuple[NvidiaGpu, ...]:
    """The module's own list: names and identifiers, no sizes."""
    folder = "proc/driver/nvidia/gpus"
    found = []
    for index, address in enumerate(here.names(folder)):
        lines = (here.text(f"{folder}/{address}/information") or "").splitlines()
        fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
        if fields.get("Model"):
            found.append(NvidiaGpu(index, fields["Model"], uuid=fields.get("GPU UUID")))
    return tuple(found)


def _device(number: int, gpu: NvidiaGpu) -> Device:
    half = ("fp16",) if gpu.capability and gpu.capability >= (5, 3) else ()
    brain = ("bf16",) if gpu.capability and gpu.capability >= (8, 0) else ()
    return Device(
        Backend.CUDA,
        number,
        gpu.name,
        torch_device=f"cuda:{number}",
        total_mb=gpu.total_mb,
        capability=gpu.capability,
        dtypes=("fp32", *half, *brain),
        facts={"driver_index": gpu.index},
    )


def _too_old(driver: str | None, torch: TorchBuild | None) -> str:
    """Why this driver can't run what torch was built with; "" where nothing speaks against it."""
    cuda = (torch.cuda if torch else None) or ""
    major, branch = cuda.partition(".")[0], (driver or "").partition(".")[0]
    needed = OLDEST_DRIVER.get(int(major)) if major.isdigit() else None
    if needed is None or not branch.isdigit() or int(branch) >= needed:
        return ""
    return f"driver {driver} is too old for torch's CUDA {cuda}, which needs {needed} or newer"


def _listed(gpus: tuple[NvidiaGpu, ...]) -> str:
    names = list(dict.fromkeys(gpu.name for gpu in gpus))
    return f"{len(gpus)} x {names[0]}" if len(gpus) > 1 and len(names) == 1 else ", ".join(names)
