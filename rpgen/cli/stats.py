"""`rpgen stats`."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rpgen.run.results import RunResult
    from rpgen.run.state import RunFolder

REFRESH_SECONDS = 1.0


def stats(
    history: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The last N runs, one line each.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Follow the run that is going on until it ends.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of rpgen's own.")] = False,
) -> int:
    """The resource pool's statistics of the last run, or the results of earlier ones."""
    if history is not None:
        return _history(history, as_json)
    from rpgen.run.state import latest_run

    folder = latest_run()
    if folder is None:
        return _nothing()
    if live and not as_json:
        return _follow(folder)
    return _show(_read(folder), as_json)


def _read(folder: "RunFolder") -> "RunResult":
    """From the journal: it is there also for a run that goes on, or was cut off."""
    from rpgen.run.journal import read
    from rpgen.run.results import fold

    return fold(read(folder.journal))


def _nothing() -> int:
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
    """Redraw until the run ends. Without a terminal: the figures of now, once."""
    from rpgen.cli.console import stdout
    from rpgen.report import pool_stats

    console = stdout()
    result = _read(folder)
    if not console.is_terminal or result.ended_at is not None:
        return _show(result, as_json=False)
    import contextlib

    from rich.live import Live

    view = Live(pool_stats.render(result, console.width), console=console, auto_refresh=False)
    with contextlib.suppress(KeyboardInterrupt), view:
        while _read(folder).ended_at is None:
            time.sleep(REFRESH_SECONDS)
            view.update(pool_stats.render(_read(folder), console.width), refresh=True)
    return 0


def _history(count: int, as_json: bool) -> int:
    from rpgen.cli.console import stdout
    from rpgen.report import pool_stats
    from rpgen.run.state import all_runs

    runs = [_read(folder) for folder in all_runs()[-count:]]
    if not runs:
        return _nothing()
    if as_json:
        typer.echo(pool_stats.history_json(runs), nl=False)
    else:
        stdout().print(pool_stats.history_table(runs))
    return 0
