"""How one machine is divided among several workers: devices, threads, memory.

4 GPUs, 2 workers: the first sees 0 and 2, the second 1 and 3
2 GPUs, 3 workers: 0, 1, 0
8 cores, 3 workers: two threads each
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rpgen.errors import UsageError
from rpgen.placement.targets import parse_target

AUTO = "auto"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
CORES_EACH, MB_EACH = 4, 6_000.0
"""What a worker on the processor should have at least, where their number is left to us."""


@dataclass(frozen=True)
class Resources:
    """`visible` is the variable that hides accelerators, `accelerators` what it may hold."""

    cores: int
    free_mb: float
    accelerators: tuple[str, ...] = ()
    visible: str = "CUDA_VISIBLE_DEVICES"


def parse_workers(text: str | None) -> int | str | None:
    """None where nothing is asked for. UsageError for what is neither a number nor `auto`."""
    if text is None or text == AUTO:
        return text
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise UsageError(f"{text!r} is no number of workers: write 1 to 256, or auto")
    return int(text)


def how_many(asked: int | str | None, here: Resources) -> int:
    """One for each accelerator where there are several; else one, unless more are asked for."""
    if isinstance(asked, int):
        return asked
    if len(here.accelerators) > 1 or asked is None:
        return max(1, len(here.accelerators))
    return max(1, min(here.cores // CORES_EACH, int(here.free_mb // MB_EACH)))


def divide(
    count: int, here: Resources, environment: Mapping[str, str]
) -> tuple[dict[str, str], ...]:
    """What each worker's environment has beyond the run's; nothing for a single one."""
    if count == 1:
        return ({},)
    devices = _shares(here.accelerators, count)
    threads = str(max(1, here.cores // count))
    shared = {name: threads for name in THREADS if name not in environment}
    shared |= _less(environment, "RPGEN_MEMORY_BUDGET", count)
    a_device = -(-count // len(here.accelerators)) if here.accelerators else 1
    shared |= _less(environment, "RPGEN_DEVICE_BUDGET", a_device)
    return tuple(shared | ({here.visible: ",".join(share)} if share else {}) for share in devices)


def _shares(devices: Sequence[str], count: int) -> list[tuple[str, ...]]:
    if len(devices) >= count:
        return [tuple(devices[number::count]) for number in range(count)]
    return [(devices[number % len(devices)],) if devices else () for number in range(count)]


def _less(environment: Mapping[str, str], name: str, by: int) -> dict[str, str]:
    """A budget of the whole run, divided."""
    given = environment.get(name)
    return {name: f"{float(given) / by:g}"} if given and by > 1 else {}


def look(environment: Mapping[str, str], device: str | None, root: Path = Path("/")) -> Resources:
    """What there is to divide, told by files alone: no library and no device is woken for it."""
    from rpgen.hardware.identity import usable_cpus
    from rpgen.hardware.memory import host_memory

    accelerators: tuple[str, ...] = ()
    visible = "CUDA_VISIBLE_DEVICES"
    if any_will_do(device):
        accelerators = _nvidia(environment, root)
        if not accelerators:
            accelerators, visible = _amd(environment, root), "HIP_VISIBLE_DEVICES"
    return Resources(usable_cpus(), host_memory().available_mb, accelerators, visible)


def any_will_do(device: str | None) -> bool:
    """Whether a worker may take any accelerator: none is named, or a kind without a number."""
    return device is None or device == "auto" or str(parse_target(device)) in ("cuda", "rocm")


def _nvidia(environment: Mapping[str, str], root: Path) -> tuple[str, ...]:
    present = len(list((root / "proc/driver/nvidia/gpus").glob("*")))
    return _visible(environment.get("CUDA_VISIBLE_DEVICES"), present)


def _amd(environment: Mapping[str, str], root: Path) -> tuple[str, ...]:
    nodes = (root / "sys/class/kfd/kfd/topology/nodes").glob("*/gpu_id")
    present = sum(_read(node) not in ("", "0") for node in nodes)
    return _visible(environment.get("HIP_VISIBLE_DEVICES"), present)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _visible(shown: str | None, present: int) -> tuple[str, ...]:
    """The names by which the devices are shown; the variable may name fewer than are there."""
    if not present:
        return ()
    if shown is None:
        return tuple(map(str, range(present)))
    return tuple(name.strip() for name in shown.split(",") if name.strip() not in ("", "-1"))
