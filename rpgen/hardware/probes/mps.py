"""Apple's Metal Performance Shaders: Macs with Apple silicon, whose memory both share."""

from rpgen.hardware.packages import torch_build
from rpgen.hardware.probes.verdict import absent, unusable, with_torch
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, Step

MB = 2**20
OLDEST_MACOS = 14  # what current builds of torch ask for
_TIMEOUT = 5.0


def probe(here: Surroundings) -> BackendReport:
    if here.system != "Darwin" or here.machine != "arm64":
        reason = f"MPS is for Macs with Apple silicon; this is {here.system} on {here.machine}"
        seen = Evidence(Step.DEVICE, False, f"{here.system} on {here.machine}")
        return absent(Backend.MPS, reason, "nothing to install on this machine", [seen])
    chip = _ask(here, "sysctl", "-n", "machdep.cpu.brand_string") or "Apple silicon"
    memory = _ask(here, "sysctl", "-n", "hw.memsize") or ""
    macos = _ask(here, "sw_vers", "-productVersion")
    torch = torch_build(here.search_path)
    device = Device(
        Backend.MPS,
        0,
        chip,
        torch_device="mps",
        total_mb=int(memory) / MB if memory.isdigit() else None,
        unified=True,
        dtypes=("fp32", "fp16", "bf16"),
    )
    facts = {"macos_version": macos}
    evidence = [Evidence(Step.DEVICE, True, f"{chip}, macOS {macos or 'of unknown version'}")]
    major = (macos or "").partition(".")[0]
    if major.isdigit() and int(major) < OLDEST_MACOS:
        reason = f"macOS {macos} is older than {OLDEST_MACOS}, which torch needs for MPS"
        return unusable(Backend.MPS, reason, "update macOS", evidence, (device,), facts)
    remedy = "install torch: pip install torch"
    return with_torch(Backend.MPS, (device,), evidence, torch, torch is not None, remedy, facts)


def _ask(here: Surroundings, *command: str) -> str | None:
    answer = here.run(command, _TIMEOUT)
    return answer.output.strip() or None if answer.ok else None
