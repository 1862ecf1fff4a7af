"""What `nvidia-smi` prints, and the devices that a process may see of it."""

from dataclasses import dataclass

QUERY = (
    "--query-gpu=index,name,memory.total,driver_version,compute_cap,uuid",
    "--format=csv,noheader,nounits",
)


@dataclass(frozen=True)
class NvidiaGpu:
    """One GPU as the driver numbers it. What an old driver doesn't tell is None."""

    index: int
    name: str
    total_mb: float | None = None
    driver: str | None = None
    capability: tuple[int, int] | None = None
    uuid: str | None = None


def parse(text: str) -> tuple[NvidiaGpu, ...]:
    """The rows of `nvidia-smi` with `QUERY`; rows that are not GPUs (warnings) are left out."""
    found = (_row([field.strip() for field in line.split(",")]) for line in text.splitlines())
    return tuple(gpu for gpu in found if gpu)


def _row(fields: list[str]) -> NvidiaGpu | None:
    if len(fields) != 6 or not fields[0].isdigit():
        return None
    index, name, memory, driver, capability, uuid = fields
    return NvidiaGpu(
        index=int(index),
        name=name,
        total_mb=float(memory) if memory.replace(".", "", 1).isdigit() else None,
        driver=driver or None,
        capability=_capability(capability),
        uuid=uuid or None,
    )


def _capability(text: str) -> tuple[int, int] | None:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def visible(gpus: tuple[NvidiaGpu, ...], named: str | None) -> tuple[NvidiaGpu, ...]:
    """Those that `CUDA_VISIBLE_DEVICES` shows, in its order; None shows all.

    As the driver reads it: numbers or beginnings of identifiers, and the first entry that
    means no device ends the list ("0,7,1" on two GPUs is the first GPU alone). A partition
    ("MIG-...") is taken to lie on the one GPU, where there is only one.
    """
    if named is None:
        return gpus
    shown: list[NvidiaGpu] = []
    for entry in (part.strip() for part in named.split(",")):
        gpu = _meant(gpus, entry)
        if gpu is None or gpu in shown:
            break
        shown.append(gpu)
    return tuple(shown)


def _meant(gpus: tuple[NvidiaGpu, ...], entry: str) -> NvidiaGpu | None:
    if entry.isdigit():
        return next((gpu for gpu in gpus if gpu.index == int(entry)), None)
    if entry.startswith("MIG-"):
        return gpus[0] if len(gpus) == 1 else None
    matching = [gpu for gpu in gpus if entry and (gpu.uuid or "").startswith(entry)]
    return matching[0] if len(matching) == 1 else None
