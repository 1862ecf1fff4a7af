"""This machine as one whose processor has instructions for the half types.

torch computes in them on every processor; the pool only grants them where there are
instructions. Tests of what happens to a model in a half type must not hang on this machine's.
"""

from dataclasses import replace

from rpgen.hardware import cache
from rpgen.hardware.types import Backend, HardwareSnapshot


def snapshot() -> HardwareSnapshot:
    found = cache.snapshot(None)
    cpu = found.report(Backend.CPU)
    devices = tuple(replace(one, dtypes=("fp32", "fp16", "bf16")) for one in cpu.devices)
    return replace(found, backends={**found.backends, Backend.CPU: replace(cpu, devices=devices)})
