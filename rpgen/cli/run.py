"""`rpgen run`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpgen.cli.arguments import finite
from rpgen.cli.choices import Engine, Level, Weights

if TYPE_CHECKING:
    from rpgen.cli.reports import Outputs
    from rpgen.run.request import RunRequest


def run(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Test files, folders, or file.py::Class::test.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Device for every model: auto, cpu, cuda:1, openvino:GPU, onnxruntime, webgpu,"
            " ...; several, as in cpu,openvino: every file on each."
        ),
    ] = None,
    require_device: Annotated[
        bool,
        typer.Option("--require-device", help="A device that can't be had fails, not skips."),
    ] = False,
    weights: Annotated[
        Weights | None, typer.Option(help="Weights for every model, whatever the file says.")
    ] = None,
    level: Annotated[
        Level | None,
        typer.Option(help="How thorough the checks are; without it as far as memory goes."),
    ] = None,
    update_baselines: Annotated[
        bool,
        typer.Option(
            "--update-baselines", help="Write down the outputs that later runs compare with."
        ),
    ] = False,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="EXPR", help="Only tests that match, as in pytest.")
    ] = None,
    exit_first: Annotated[bool, typer.Option("-x", help="Stop at the first failure.")] = False,
    maxfail: Annotated[
        int, typer.Option(min=0, help="Stop after that many failures; 0: never.")
    ] = 0,
    timeout: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            callback=finite,
            help="For each test with its set-up; 0: no limit.",
        ),
    ] = 1800,
    cleanup_age: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="MINUTES",
            callback=finite,
            help="After each file, free what was idle for that long and no later file needs.",
        ),
    ] = 0.5,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="A fresh worker process for each file.")
    ] = False,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto", help="So many workers side by side; without it, one for each GPU."
        ),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Where the workers are: on this machine, or on Ray's.")
    ] = Engine.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="With --engine ray: the cluster's address.")
    ] = None,
    last_failed: Annotated[
        bool, typer.Option("--lf", help="Only tests that failed when they last ran.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Part I of N, divided by model: for several machines."),
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            metavar="ORDER",
            help="reuse (files of a model together), path, slowest-first, random[:SEED].",
        ),
    ] = "reuse",
    reruns: Annotated[
        int, typer.Option(min=0, help="Run a test that went wrong again, up to that often.")
    ] = 0,
    repeat: Annotated[int, typer.Option(min=1, help="Run every test that often.")] = 1,
    memory_budget: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Host memory that the models may take, as in 8GB."),
    ] = None,
    device_budget: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory that they may take on each accelerator."),
    ] = None,
    fail_on_leak: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="A file that leaves more memory behind has failed."),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Run nothing: show order, loads, evictions and memory."),
    ] = False,
    host: Annotated[
        str | None, typer.Option(help="With --plan: for this host of the inventory.")
    ] = None,
    hw_cache: Annotated[
        Path | None,
        typer.Option("--hw-cache", help="With --plan: inventory of hosts [hardware_cache.json]."),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--resume", help="Go on with the latest run, which was cut off.")
    ] = False,
    model_db: Annotated[
        Path | None, typer.Option("--model-db", help="Another model database for the files.")
    ] = None,
    junit_xml: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")
    ] = None,
    json_report: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the JSON report.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the HTML page here, too.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a summary in Markdown.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only the totals.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="A line for each test.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of rpgen's own.")] = False,
) -> int:
    """Run test files one after another, with models loaded once and shared.

    Exit codes: 0 all passed, 1 something failed, 2 a path or an option is wrong, 3 nothing
    ran or everything was skipped, 5 the model database can't be read, 6 a report can't be
    written, 8 a package for it is absent, 9 the worker can't be started, 10 (--plan) a model
    fits nowhere, 130 interrupted.
    """
    from rpgen.cli.console import stderr
    from rpgen.cli.plan import show_plan
    from rpgen.cli.reports import Outputs
    from rpgen.run.division import parse_workers
    from rpgen.run.order import parse_ordering, parse_shard
    from rpgen.run.request import RunRequest

    request = RunRequest(
        paths=tuple(paths or ()),
        device=_known_device(device),
        require_device=require_device,
        weights=weights.value if weights else None,
        keyword=keyword,
        maxfail=1 if exit_first else maxfail,
        timeout=timeout,
        cleanup_age=cleanup_age,
        isolate=isolate,
        repeat=repeat,
        reruns=reruns,
        fail_on_leak=_size(fail_on_leak),
        lf=last_failed,
        shard=str(parse_shard(shard)) if shard else None,
        order=str(parse_ordering(order)),
        memory_budget=_size(memory_budget),
        device_budget=_size(device_budget),
        workers=parse_workers(workers),
        engine=engine.value,
        address=address,
        level=level.value if level else None,
        update_baselines=update_baselines,
        model_db=_database(model_db),
    )
    outputs = Outputs(json_report, junit_xml, html, markdown)
    _check_together(request, go_on=go_on)
    _check_plan(request, outputs, plan=plan, machine=host or hw_cache)
    outputs.check()
    if request.order != order:
        stderr().print(f"order {request.order}", markup=False)  # so that it can be had again
    if plan:
        return show_plan(request, host, hw_cache, json_report)
    return _carry_out(request, go_on, outputs, -1 if quiet else 1 if verbose else 0)


def _check_together(request: "RunRequest", *, go_on: bool) -> None:
    """UsageError for options that mean nothing without, or beside, another one."""
    from rpgen.errors import UsageError
    from rpgen.run.request import RunRequest

    if go_on and request != RunRequest(paths=()):
        raise UsageError(
            "--resume goes on with the files and options of its run: "
            "only options for reports may stand beside it"
        )
    if not go_on and not request.paths:
        raise UsageError("name test files or folders to run, or --resume the latest run")
    if request.address and request.engine != Engine.RAY:
        raise UsageError("--address is that of a Ray cluster: add --engine ray")


def _check_plan(
    request: "RunRequest", outputs: "Outputs", *, plan: bool, machine: str | Path | None
) -> None:
    """UsageError for what a plan doesn't have, or only a plan has."""
    from rpgen.errors import UsageError

    if not plan:
        if machine:
            raise UsageError("--host and --hw-cache name the machine of a plan: add --plan")
        return
    if request.engine != Engine.LOCAL:
        raise UsageError("--plan is for one machine: what a cluster has, only the run finds out")
    if request.keyword:
        raise UsageError("--plan is of whole files, whose tests it does not know: leave -k out")
    if outputs.junit_xml or outputs.html or outputs.markdown:
        raise UsageError("--plan runs nothing: of the reports it has --json only")


def _carry_out(request: "RunRequest", go_on: bool, outputs: "Outputs", verbosity: int) -> int:
    """Run it or go on with the latest run, show what happens, write the reports."""
    from rpgen.cli.console import stderr, stdout, warn
    from rpgen.cli.execute import Watching, resume, run_anew
    from rpgen.cli.reports import write_reports
    from rpgen.report.progress import Progress
    from rpgen.run.interrupts import Interrupts

    progress = Progress(stderr if outputs.json == "-" else stdout, verbosity)
    with Interrupts() as interrupts:
        watching = Watching(progress, interrupts, warn)
        try:
            result, folder = resume(watching) if go_on else run_anew(request, watching)
        finally:
            progress.stop()
        return write_reports(result, folder, outputs, verbosity)


def _size(text: str | None) -> float | None:
    from rpgen.run.sizes import parse_size

    return None if text is None else parse_size(text)


def _database(path: Path | None) -> str | None:
    """A database's absolute path. DataError for a file that is none, the environment's, too."""
    from rpgen.paths import MODEL_DATABASE

    if path is None and not os.environ.get(MODEL_DATABASE):
        return None
    from rpgen.model_database import load

    found = load(path)
    return str(found.source) if path else None


def _known_device(device: str | None) -> str | None:
    """A device by the names that people write, or `UsageError`."""
    from rpgen.errors import UsageError
    from rpgen.placement.targets import RUNTIMES, TORCH, parse_target, spelled, split_names

    if device is None:
        return None
    names = list(dict.fromkeys(spelled(name) for name in split_names(device)))
    for name in names:
        if name not in ("auto", "tpu") and parse_target(name) is None:
            known = ", ".join(("auto", *TORCH, *RUNTIMES, "qualcomm"))
            raise UsageError(
                f"unknown device {name!r}: choose one of {known}, with a device of its own as in"
                " cuda:1 or openvino:GPU, or cpu+compile"
            )
    return ",".join(names)
