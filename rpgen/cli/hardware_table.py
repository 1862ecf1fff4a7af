"""A snapshot as a table for a person."""

from typing import TYPE_CHECKING

from rpgen.cli.console import stdout
from rpgen.hardware.backend_proofs import wasm_of
from rpgen.hardware.memory import host_memory
from rpgen.hardware.probes.in_browser import WASM
from rpgen.hardware.types import Backend, BackendReport, Device, HardwareSnapshot, State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES = {
    State.AVAILABLE: "green",
    State.UNUSABLE: "red",
    State.SOFTWARE: "yellow",
    State.ABSENT: "dim",
}


def print_hardware(
    found: HardwareSnapshot, *, with_evidence: bool = False, console: "Console | None" = None
) -> None:
    console = console or stdout()
    for line in heading(found):
        console.print(line, markup=False)
    console.print(table(found, with_evidence), soft_wrap=False)


def heading(found: HardwareSnapshot) -> list[str]:
    memory = host_memory()
    limit = f", limited to {memory.limit_mb:,.0f} MB" if memory.limit_mb is not None else ""
    return [
        f"{found.host.name}: {found.os_version}, {found.host.machine}, "
        f"Python {found.python_version}",
        f"{found.cpu_count} processors, {memory.kernel_total_mb:,.0f} MB memory{limit}, "
        f"{memory.available_mb:,.0f} MB free ({memory.limit_source})",
    ]


def table(found: HardwareSnapshot, with_evidence: bool) -> "Table":
    """One row per backend, what can be used first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    made.add_column("backend", no_wrap=True)
    made.add_column("state", no_wrap=True)
    made.add_column("what was found, what is missing", overflow="fold")
    order = list(State)
    for backend in sorted(Backend, key=lambda name: order.index(found.report(name).state)):
        report = found.report(backend)
        style = STYLES[report.state]
        text = Text("\n".join(_explained(report, with_evidence)))
        made.add_row(str(backend), Text(str(report.state), style=style), text)
        if backend is Backend.WEBNN:
            report = wasm_of(found)
            text = Text("\n".join(_explained(report, with_evidence)))
            made.add_row(WASM, Text(str(report.state), style=STYLES[report.state]), text)
    return made


def _explained(report: BackendReport, with_evidence: bool) -> list[str]:
    lines = [_device_line(report, device) for device in report.devices]
    if report.available and report.facts.get("version"):
        lines.insert(0, f"version {report.facts['version']}")
    if report.backend is Backend.CPU:
        lines += [_instructions(report)]
    lines += [report.reason] if report.reason else []
    lines += [f"→ {report.remedy}"] if report.remedy else []
    if with_evidence:
        marks = {True: "+", False: "-", None: "?"}
        lines += [f"{marks[seen.found]} {seen.step}: {seen.detail}" for seen in report.evidence]
    return lines or ["ready; the device shows when it is used"]


def _device_line(report: BackendReport, device: Device) -> str:
    address = device.torch_device or device.facts.get("openvino_device")
    parts = [f"{address}: {device.name}" if address else device.name]
    if report.backend is Backend.CPU:
        cores = report.facts.get("cores") or {}
        parts.append(
            f"{cores.get('logical')} logical, {cores.get('physical') or '?'} physical cores"
        )
    elif device.total_mb is not None:
        shared = " shared with the host" if device.unified else ""
        parts.append(f"{device.total_mb:,.0f} MB{shared}")
    if device.capability:
        parts.append(f"compute capability {device.capability[0]}.{device.capability[1]}")
    if device.torch_device:
        parts.append("/".join(device.dtypes))
    return ", ".join(parts)


def _instructions(report: BackendReport) -> str:
    has = report.facts.get("instructions") or {}
    known = [name for name, found in has.items() if found]
    return f"instruction sets: {', '.join(known) or 'unknown'}"
