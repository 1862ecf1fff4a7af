"""The reports of a run that has ended: which are asked for, and writing them."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from rpgen.run.results import RunResult
    from rpgen.run.state import RunFolder


@dataclass(frozen=True)
class Outputs:
    """Where a person wants reports beside those in the state folder; `json` may be "-"."""

    json: str | None = None
    junit_xml: Path | None = None
    html: Path | None = None
    markdown: Path | None = None

    def check(self) -> None:
        """Before hours of running, not after them: whether the reports can be written."""
        from importlib.util import find_spec

        from rpgen.errors import MissingPackageError

        named = None if self.json == "-" or not self.json else Path(self.json)
        for path in (named, self.junit_xml, self.html, self.markdown):
            if path is not None:
                _check_writable(path)
        if self.junit_xml and find_spec("junitparser") is None:
            raise MissingPackageError("a JUnit report needs a package: pip install junitparser")


def _check_writable(path: Path) -> None:
    from rpgen.errors import OutputError

    folder = next(parent for parent in path.absolute().parents if parent.exists())
    writable = path if path.exists() else folder
    if path.is_dir() or not folder.is_dir() or not os.access(writable, os.W_OK):
        raise OutputError(f"the report {path} can't be written; give another path")


def write_reports(
    result: "RunResult", folder: "RunFolder", outputs: Outputs, verbosity: int
) -> int:
    """Every report of the run; JSON and the page in the state folder are always written."""
    from rpgen.cli.console import stderr, stdout
    from rpgen.report import json_report as json_format
    from rpgen.report.console import show_result
    from rpgen.report.progress import surviving_a_closed_pipe
    from rpgen.run.state import forget_old_runs

    report = json_format.build(result)
    json_format.write(report, folder.report)
    to_stdout = outputs.json == "-"
    if outputs.json and not to_stdout:
        json_format.write(report, Path(outputs.json))
    if outputs.junit_xml:
        from rpgen.report import junit

        junit.write(result, outputs.junit_xml)
    page = _write_pages(result, folder, outputs)
    _write_summaries(result, outputs)
    if to_stdout:
        typer.echo(json_format.to_text(report), nl=False)
    console = stderr() if to_stdout else stdout()
    with surviving_a_closed_pipe(), _no_commands(console):
        show_result(result, console, verbosity)
    with surviving_a_closed_pipe():
        for line in _annotations(result):
            console.print(line, markup=False, soft_wrap=True)
        console.print(f"report: {page}", style="dim", markup=False, soft_wrap=True)
    _remember(result, folder)
    forget_old_runs(folder)
    return result.exit_code


def _remember(result: "RunResult", folder: "RunFolder") -> None:
    """For `rpgen stats`. A run that can't be written down is no worse a run."""
    from rpgen.cli.console import warn
    from rpgen.errors import DataError
    from rpgen.history.keep import remember

    try:
        remember(folder.path.parents[1], result, warn)
    except DataError as error:
        warn(str(error))


def _write_pages(result: "RunResult", folder: "RunFolder", outputs: Outputs) -> Path:
    """The page in the state folder, and the one asked for: the one to name at the end."""
    from rpgen.report.files import write_text
    from rpgen.report.html.run_page import page
    from rpgen.report.timeline import timeline
    from rpgen.run.journal import read

    line = timeline(read(folder.journal))
    here = folder.path / "report.html"
    beside = [folder.report.name, folder.journal.name]
    beside += sorted(path.name for path in folder.path.glob("worker*.log"))
    write_text(here, page(result, line, beside), "RPGEN_STATE_DIR")
    if outputs.html:
        write_text(outputs.html, page(result, line), "--html")
    return outputs.html or here


def _write_summaries(result: "RunResult", outputs: Outputs) -> None:
    """Markdown where it was asked for, and to the summary of GitHub's step where there is one."""
    from rpgen.report import markdown
    from rpgen.report.files import append_text, write_text

    if outputs.markdown:
        write_text(outputs.markdown, markdown.build(result), "--markdown")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        path = Path(summary)
        taken = path.stat().st_size if path.exists() else 0
        append_text(
            path, markdown.build(result, markdown.SUMMARY_LIMIT - taken), "GITHUB_STEP_SUMMARY"
        )


def _annotations(result: "RunResult") -> Iterator[str]:
    if not os.environ.get("GITHUB_ACTIONS"):
        return
    from rpgen.report.markdown import annotations

    workspace = os.environ.get("GITHUB_WORKSPACE")
    yield from annotations(result, Path.cwd(), Path(workspace) if workspace else None)


@contextlib.contextmanager
def _no_commands(console: "Console") -> Iterator[None]:
    """On GitHub a line of a test's output may be a command to its runner: none is obeyed here."""
    if not os.environ.get("GITHUB_ACTIONS"):
        yield
        return
    import secrets

    token = secrets.token_hex(16)
    console.print(f"::stop-commands::{token}", markup=False)
    try:
        yield
    finally:
        console.print(f"::{token}::", markup=False)
