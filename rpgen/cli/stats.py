"""`rpgen stats`."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rpgen.history.records import RunRecord
    from rpgen.run.results import RunResult
    from rpgen.run.state import RunFolder

REFRESH_SECONDS = 1.0
HISTORY_RUNS = 10
MATRIX_RUNS = 100


def stats(
    history: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="[N]",
            help="The last N runs (10), their trends, and what got worse in the last.",
        ),
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Models by device and versions, over several runs.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --matrix: write it as a page.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Follow the run that is going on until it ends.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of rpgen's own.")] = False,
) -> int:
    """The resource pool's statistics of the last run, or the results of earlier ones."""
    _check_together(live and (as_json or matrix or history is not None), html, matrix)
    if matrix:
        return _matrix(history or MATRIX_RUNS, html, as_json)
    if history is not None:
        return _history(history, as_json)
    from rpgen.run.state import latest_run

    folder = latest_run()
    if folder is None:
        return _nothing()
    if live:
        return _follow(folder)
    return _show(_read(folder), as_json)


def _check_together(live_beside: bool, html: Path | None, matrix: bool) -> None:
    from rpgen.errors import UsageError

    if html is not None and not matrix:
        raise UsageError("--html goes with --matrix; a run's own page is in its folder")
    if live_beside:
        raise UsageError("--live follows one run on the terminal: it stands alone")


def _read(folder: "RunFolder") -> "RunResult":
    """From the journal: it is there also for a run that goes on, or was cut off."""
    from rpgen.run.journal import read
    from rpgen.run.results import fold

    return fold(read(folder.journal))


def _nothing() -> NoReturn:
    from rpgen.errors import NothingRanError
    from rpgen.paths import state_folder

    raise NothingRanError(
        f"no run has left statistics in {state_folder()}: `rpgen run PATH` makes some"
    )


def _show(result: "RunResult", as_json: bool) -> int:
    from rpgen.cli.console import stdout
    from rpgen.report import pool_stats

    if as_json:
        typer.echo(pool_stats.to_json(result), nl=False)
    else:
        console = stdout()
        console.print(pool_stats.render(result, console.width))
    return 0


def _follow(folder: "RunFolder") -> int:
    """Redraw until the run ends, or whoever supervised it is gone. Without a terminal: the
    figures of now, once."""
    from rpgen.cli.console import stdout
    from rpgen.report import pool_stats
    from rpgen.run.state import is_going_on

    console = stdout()
    result = _read(folder)
    if not console.is_terminal or result.ended_at is not None:
        return _show(result, as_json=False)
    import contextlib

    from rich.live import Live

    view = Live(pool_stats.render(result, console.width), console=console, auto_refresh=False)
    with contextlib.suppress(KeyboardInterrupt), view:
        while is_going_on(folder) and _read(folder).ended_at is None:
            time.sleep(REFRESH_SECONDS)
            view.update(pool_stats.render(_read(folder), console.width), refresh=True)
    return 0


def _history(count: int, as_json: bool) -> int:
    from rpgen.cli.console import stdout
    from rpgen.history.trends import COMPARED
    from rpgen.report import history

    compared = _earlier(max(count, COMPARED + 1))
    runs = compared[-count:]
    if as_json:
        typer.echo(history.to_json(runs, compared), nl=False)
    else:
        history.show(runs, compared, stdout())
    return 0


def _matrix(count: int, html: Path | None, as_json: bool) -> int:
    from rpgen.cli.console import stdout
    from rpgen.history.matrix import build
    from rpgen.report import matrix

    runs = _earlier(count)
    found = build(runs)
    if html is not None:
        from rpgen.report.files import write_text
        from rpgen.report.html.matrix_page import page

        write_text(html, page(found, runs, _pages(html)), "--html")
    if as_json:
        typer.echo(matrix.to_json(found), nl=False)
    elif html is not None:
        typer.echo(f"page: {html}")
    elif not found.models:
        typer.echo("no run has had a file with a model")
    else:
        console = stdout()
        console.print(matrix.table(found, console.width))
    return 0


def _earlier(count: int) -> "tuple[RunRecord, ...]":
    """The latest runs, oldest first; from their journals where there can be no database."""
    from rpgen.cli.console import warn
    from rpgen.errors import DataError
    from rpgen.history.keep import catch_up, from_journals
    from rpgen.paths import state_folder

    state = state_folder()
    if not state.is_dir():
        return _nothing()
    try:
        runs = catch_up(state, warn).last(count)
    except DataError as error:
        warn(f"{error}; what follows is from the journals")
        runs = from_journals(state, count)
    return runs or _nothing()


def _pages(html: Path) -> dict[str, str]:
    """Where the runs' own pages are, as seen from the folder of this one."""
    from urllib.parse import quote

    from rpgen.run.state import all_runs

    pages = (folder.path / "report.html" for folder in all_runs())
    here = html.absolute().parent
    return {
        path.parent.name: quote(os.path.relpath(path.absolute(), here))
        for path in pages
        if path.is_file()
    }
