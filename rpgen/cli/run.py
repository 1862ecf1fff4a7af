"""`rpgen run`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rpgen.run.interrupts import Interrupts
    from rpgen.run.request import RunRequest
    from rpgen.run.results import RunResult
    from rpgen.run.state import RunFolder


class RunWeights(StrEnum):
    AUTO = "auto"
    PRETRAINED = "pretrained"
    RANDOM = "random"
    TINY = "tiny"


def run(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Test files, folders, or file.py::Class::test.",
            show_default=False,
        ),
    ],
    device: Annotated[
        str | None,
        typer.Option(help="Device for every model: auto, cpu, cuda, cuda:1, rocm, mps, xpu, ..."),
    ] = None,
    weights: Annotated[
        RunWeights | None, typer.Option(help="Weights for every model, whatever the file says.")
    ] = None,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="EXPR", help="Only tests that match, as in pytest.")
    ] = None,
    exit_first: Annotated[bool, typer.Option("-x", help="Stop at the first failure.")] = False,
    maxfail: Annotated[
        int, typer.Option(min=0, help="Stop after that many failures; 0: never.")
    ] = 0,
    timeout: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="For each test with its set-up; 0: no limit."),
    ] = 1800,
    cleanup_age: Annotated[
        float,
        typer.Option(
            min=0, metavar="MINUTES", help="After each file, free what was idle for that long."
        ),
    ] = 0.5,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="A fresh worker process for each file.")
    ] = False,
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
    ran or everything was skipped, 6 a report can't be written, 9 the worker can't be started,
    130 interrupted.
    """
    from rpgen.cli.reports import Outputs, write_reports
    from rpgen.run.interrupts import Interrupts
    from rpgen.run.request import RunRequest

    request = RunRequest(
        paths=tuple(paths),
        device=_known_device(device),
        weights=weights.value if weights else None,
        keyword=keyword,
        maxfail=1 if exit_first else maxfail,
        timeout=timeout,
        cleanup_age=cleanup_age,
        isolate=isolate,
    )
    outputs = Outputs(json_report, junit_xml, html, markdown)
    outputs.check()
    verbosity = -1 if quiet else 1 if verbose else 0
    with Interrupts() as interrupts:
        result, folder = _supervise(request, interrupts, verbosity, to_stderr=json_report == "-")
        return write_reports(result, folder, outputs, verbosity)


def _known_device(device: str | None) -> str | None:
    """A device by the names that people write, or `UsageError`."""
    import re

    from rpgen.errors import UsageError
    from rpgen.hardware.types import Backend

    known = ("auto", *Backend)
    if device is None or re.sub(r":\d+$", "", device) in known:
        return device
    raise UsageError(f"unknown device {device!r}: choose one of {', '.join(known)}, or cuda:1")


def _supervise(
    request: "RunRequest", interrupts: "Interrupts", verbosity: int, *, to_stderr: bool
) -> "tuple[RunResult, RunFolder]":
    from rpgen.cli.console import stderr, stdout, warn
    from rpgen.report.progress import Progress
    from rpgen.run.engines import ENGINES
    from rpgen.run.file_facts import read_facts
    from rpgen.run.schedule import find_targets, read_jobs
    from rpgen.run.state import new_run
    from rpgen.run.supervisor import Supervisor

    targets = find_targets(request.paths, Path.cwd())
    folder, warning = new_run()
    if warning:
        warn(warning)
    progress = Progress(stderr if to_stderr else stdout, verbosity)
    first = read_facts(targets[0].path)
    supervisor = Supervisor(
        request,
        folder,
        lambda: read_jobs(targets),
        sorted({str(target.folder) for target in targets}),
        ENGINES["local"](),
        progress,
        _host,
        interrupts,
        needs_models=first.needs_models and not first.insists(request.environment()),
    )
    try:
        return supervisor.run(), folder
    finally:
        progress.stop()


def _host() -> dict[str, object]:
    from dataclasses import asdict

    from rpgen.hardware.detector import host_identity

    return asdict(host_identity())
