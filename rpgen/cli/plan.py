"""`rpgen run --plan`: what a run would do, before anything is loaded."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from rpgen.run.plan import Plan, Step
    from rpgen.run.request import RunRequest


def show_plan(
    request: "RunRequest", host: str | None, hw_cache: Path | None, json_report: str | None
) -> int:
    """Exit code 0, or that of a model that fits nowhere, or of nothing to run."""
    from rpgen.cli.console import stdout, warn
    from rpgen.errors import ExitCode
    from rpgen.hardware.cache import snapshot
    from rpgen.hardware.detector import host_identity
    from rpgen.paths import default_hardware_cache
    from rpgen.pool.budgets import budgets_mb
    from rpgen.report.files import write_text
    from rpgen.run.division import how_many, look
    from rpgen.run.plan import make_plan
    from rpgen.run.rehearsal import as_last_time
    from rpgen.run.schedule import find_targets
    from rpgen.run.selection import choose_jobs, seconds_last_time
    from rpgen.run.share import other_machine, resources_of, shares, this_machine

    request = _planned(request)
    os.environ.update(request.environment())  # what the worker would see
    jobs = choose_jobs(request, find_targets(request.paths, Path.cwd()))
    here = host is None or host == host_identity().name
    inventory = hw_cache or (None if here else default_hardware_cache())
    found = snapshot(inventory, host=host, warn=warn)
    machine = this_machine(found) if here else other_machine(found)
    to_divide = look(os.environ, request.device) if here else resources_of(machine, request.device)
    count = how_many(request.workers, to_divide)
    plan = make_plan(
        jobs,
        machine,
        shares(machine, count, to_divide, os.environ),
        budgets_mb(),
        as_last_time([job.name for job in jobs], seconds_last_time() if count > 1 else {}),
        request.isolate,
    )
    text = json.dumps({"schema": 1, **plan.to_dict()}, indent=2) + "\n"
    code = ExitCode.OK if all(step.fits for step in plan.steps) else ExitCode.OUT_OF_MEMORY
    if json_report == "-":
        typer.echo(text, nl=False)
        return code
    if json_report:
        write_text(Path(json_report), text, "--json")
    console = stdout()
    console.print(f"plan for {plan.host}, order {request.order}", markup=False)
    console.print(_table(plan))
    for line in _remarks(plan):
        console.print(line, markup=False, soft_wrap=True)
    return code


def _planned(request: "RunRequest") -> "RunRequest":
    """For a backend of its own the plan is that of the torch models, which lie on the CPU."""
    from dataclasses import replace

    from rpgen.errors import UsageError
    from rpgen.placement.targets import backend_named

    if len(request.devices) > 1:
        raise UsageError("--plan is for one device: name one of them")
    return replace(request, device="cpu") if backend_named(request.device) else request


def _table(plan: "Plan") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    several = plan.workers > 1
    if several:
        grid.add_column("worker", justify="right", no_wrap=True)
    for name in ("file", "model", "with", "does"):
        grid.add_column(name, overflow="fold")
    for name in ("MB", "MB in all"):
        grid.add_column(name, justify="right", no_wrap=True)
    for step in plan.steps:
        with_ = " ".join(word for word in (step.weights, step.dtype, step.device) if word)
        sizes = (_mb(step.file_mb), _mb(step.device_mb))
        cells = (step.path, step.model or "-", with_ or "-", _does(step), *sizes)
        number = (str(step.worker + 1),) if several else ()
        grid.add_row(*map(Text, (*number, *cells)))
    return grid


def _does(step: "Step") -> str:
    if step.problem:
        return "can't run"
    if step.loads is None:
        return "takes no model that it names"
    words = "loads" if step.loads else "reuses"
    if step.evicted:
        words += "; out goes " + ", ".join(
            f"{gone.key} ({gone.mb:.0f} MB)" for gone in step.evicted
        )
    return words


def _mb(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _remarks(plan: "Plan") -> Iterator[str]:
    from rpgen.report.words import counted

    for step in plan.steps:
        if step.problem or step.degraded:
            yield f"{step.path}: {step.problem or step.degraded}"
    peaks = ", ".join(
        f"{mb:.0f} MB on {device}"
        + (f" of {plan.budget_mb[device]:.0f} MB" if device in plan.budget_mb else "")
        for device, mb in plan.peak_mb.items()
    )
    if plan.workers > 1:
        yield (
            f"{plan.workers} workers: who takes which file depends on how long the files take; "
            "this is for as long as they took last time, and the same for those that are new"
        )
    yield (
        f"{counted(len(plan.steps), 'file')}, {plan.loads} loads, {plan.evictions} evictions; "
        f"predicted peak of the models: {peaks or 'none'}"
    )
