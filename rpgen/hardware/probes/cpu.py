"""The processor: cores, instruction sets, memory."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.hardware.cgroup import cpu_quota
from rpgen.hardware.memory import host_memory
from rpgen.hardware.packages import torch_build
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, State, Step

INSTRUCTION_SETS: dict[str, tuple[str, ...]] = {
    "sse": ("sse",),
    "sse2": ("sse2",),
    "sse4_1": ("sse4_1",),
    "sse4_2": ("sse4_2",),
    "avx": ("avx",),
    "avx2": ("avx2",),
    "fma": ("fma",),
    "avx512": ("avx512f",),
    "avx512_bf16": ("avx512_bf16",),
    "avx512_fp16": ("avx512_fp16",),
    "avx512_vnni": ("avx512_vnni",),
    "amx": ("amx_tile",),
    "amx_bf16": ("amx_bf16",),
    "amx_fp16": ("amx_fp16",),
    "neon": ("asimd", "neon"),
    "sve": ("sve",),
    "bf16": ("bf16",),
    "fp16": ("asimdhp",),
}
"""Each name, and the kernel's flags of which one means that the processor has it."""

_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
_FP16 = ("avx512_fp16", "amx_fp16", "fp16")


@dataclass(frozen=True)
class Processor:
    """`physical` is None where neither the kernel nor the system says."""

    name: str
    logical: int
    physical: int | None
    flags: frozenset[str] = field(default_factory=frozenset)

    @property
    def instructions(self) -> dict[str, bool]:
        return {
            name: not self.flags.isdisjoint(any_of) for name, any_of in INSTRUCTION_SETS.items()
        }

    @property
    def dtypes(self) -> tuple[str, ...]:
        """fp32, and the half types that it has instructions for."""
        has = self.instructions
        half = (("fp16", _FP16), ("bf16", _BF16))
        return ("fp32", *(dtype for dtype, sets in half if any(has[name] for name in sets)))


def parse_cpuinfo(text: str) -> Processor | None:
    """Read Linux's `/proc/cpuinfo` (x86 and Arm name their fields differently)."""
    blocks = [
        dict(re.findall(r"^(\w[^:\t]*?)[ \t]*:[ \t]*(.*)$", block, re.MULTILINE))
        for block in re.split(r"\n\s*\n", text.strip())
    ]
    cores = [block for block in blocks if block.get("processor", "").isdigit()]
    if not cores:
        return None
    first = cores[0]
    flags = frozenset((first.get("flags") or first.get("Features") or "").lower().split())
    places = {(core["physical id"], core["core id"]) for core in cores if "core id" in core}
    name = first.get("model name") or next(
        (block[key] for block in blocks for key in ("Hardware", "Model") if block.get(key)), ""
    )
    return Processor(name.strip(), len(cores), len(places) or None, flags)


def _physical_from_topology(here: Surroundings) -> int | None:
    """Distinct cores in `/sys`, for processors whose cpuinfo doesn't number them."""
    folder = "sys/devices/system/cpu"
    places = set()
    for name in here.names(folder, "cpu"):
        package = here.text(f"{folder}/{name}/topology/physical_package_id")
        core = here.text(f"{folder}/{name}/topology/core_id")
        if package is not None and core is not None:
            places.add((package, core))
    return len(places) or None


def _ask_py_cpuinfo() -> Mapping[str, Any]:
    import cpuinfo

    return dict(cpuinfo.get_cpu_info())


def _physical_from_psutil() -> int | None:
    import psutil

    count = psutil.cpu_count(logical=False)
    return int(count) if count else None


def _from_query(answer: Mapping[str, Any], physical: int | None) -> Processor:
    """The answer of py-cpuinfo, which works on every system and takes a second."""
    flags = frozenset(str(flag).lower() for flag in answer.get("flags") or ())
    arm = str(answer.get("arch", "")).startswith("ARM")
    return Processor(
        name=str(answer.get("brand_raw") or ""),
        logical=int(answer.get("count") or os.cpu_count() or 1),
        physical=physical,
        flags=flags | {"asimd"} if arm and answer.get("bits") == 64 else flags,
    )


def probe(
    here: Surroundings,
    query: Callable[[], Mapping[str, Any]] = _ask_py_cpuinfo,
    count_physical: Callable[[], int | None] = _physical_from_psutil,
) -> BackendReport:
    processor = parse_cpuinfo(here.text("proc/cpuinfo") or "")
    source = "/proc/cpuinfo"
    if processor is None:
        processor, source = _from_query(query(), count_physical()), "py-cpuinfo"
    physical = processor.physical or _physical_from_topology(here)
    memory = host_memory(here.root)
    torch = torch_build(here.search_path)
    name = processor.name or here.machine
    device = Device(
        Backend.CPU,
        0,
        name,
        torch_device="cpu",
        total_mb=round(memory.kernel_total_mb),
        dtypes=processor.dtypes,
    )
    facts = {
        "architecture": here.machine,
        "processor": name,
        "cores": {"logical": processor.logical, "physical": physical},
        "cpu_quota": cpu_quota(here.root),
        "instructions": processor.instructions,
        "torch": torch.version if torch else None,
    }
    evidence = (
        Evidence(Step.DEVICE, True, f"{name}, {processor.logical} logical cores ({source})"),
        Evidence(
            Step.USABLE,
            torch is not None,
            f"torch {torch.version}" if torch else "torch isn't installed",
        ),
    )
    return BackendReport(Backend.CPU, State.AVAILABLE, evidence, (device,), facts=facts)
