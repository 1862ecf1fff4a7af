"""The reports of a run that has ended: which are asked for, and writing them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rpgen.run.results import RunResult
    from rpgen.run.state import RunFolder


@dataclass(frozen=True)
class Outputs:
    """Where a person wants reports beside those in the state folder; `json` may be "-"."""

    json: str | None = None
    junit_xml: Path | None = None

    def check(self) -> None:
        """Before hours of running, not after them: whether the reports can be written."""
        from importlib.util import find_spec

        from rpgen.errors import MissingPackageError

        named = None if self.json == "-" or not self.json else Path(self.json)
        for path in (named, self.junit_xml):
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
    """Every report of the run; the one in the state folder is always written."""
    from rpgen.cli.console import stderr, stdout
    from rpgen.report import json_report as json_format
    from rpgen.report.console import show_result
    from rpgen.report.progress import surviving_a_closed_pipe
    from rpgen.run.state import forget_old_runs

    report = json_format.build(result)
    json_format.write(report, folder.report)
    to_stdout = outputs.json == "-"
    where = Path(outputs.json) if outputs.json and not to_stdout else folder.report
    if where != folder.report:
        json_format.write(report, where)
    if outputs.junit_xml:
        from rpgen.report import junit

        junit.write(result, outputs.junit_xml)
    if to_stdout:
        typer.echo(json_format.to_text(report), nl=False)
    console = stderr() if to_stdout else stdout()
    with surviving_a_closed_pipe():
        show_result(result, console, verbosity)
        console.print(f"report: {where}", style="dim", markup=False, soft_wrap=True)
    forget_old_runs(folder)
    return result.exit_code
