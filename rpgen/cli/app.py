"""The command line: registers the commands, and turns errors into one sentence and a code."""

import errno
import io
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from rpgen import __version__
from rpgen.cli.arguments import fill_optional_values
from rpgen.cli.console import fail
from rpgen.cli.detect import detect
from rpgen.cli.generate import generate
from rpgen.cli.plain_values import PlainCommand, PlainGroup
from rpgen.cli.run import run
from rpgen.cli.stats import HISTORY_RUNS, stats
from rpgen.errors import ExitCode, RpgenError
from rpgen.paths import default_hardware_cache

COMMANDS: dict[str, Callable[..., int | None]] = {
    "generate": generate,
    "run": run,
    "detect": detect,
    "stats": stats,
}

_MISUSE: Any = typer.BadParameter.__mro__[1]  # Typer has its UsageError, but not for others

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"rpgen {__version__}")
        raise typer.Exit


@app.callback()
def rpgen(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Write tests for Hugging Face models, run them, and say what broke, where and why."""


for _name, _command in COMMANDS.items():
    app.command(_name, cls=PlainCommand)(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (the README lists them).

    An error is one sentence on stderr; with `--debug` its traceback comes too.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of another encoding shows escapes
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    values = {"--hw-cache": str(default_hardware_cache()), "--history": str(HISTORY_RUNS)}
    filled = fill_optional_values(given, values)
    try:
        code = app(filled, prog_name="rpgen", standalone_mode=False)
    except RpgenError as error:
        _show_traceback(given)
        fail(str(error))
        return error.exit_code
    except typer.Abort:
        fail("interrupted")
        return ExitCode.INTERRUPTED
    except _MISUSE as misuse:
        return _explain(misuse)
    except OSError as error:
        _show_traceback(given)
        return _explain_system(error)
    except Exception as bug:  # noqa: BLE001 - the last line of defence: a person sees a sentence
        _show_traceback(given)
        fail(f"{type(bug).__name__}: {bug} (this is a bug in rpgen; --debug shows where)")
        return ExitCode.INTERNAL
    return code if isinstance(code, int) else ExitCode.OK


def _explain(misuse: Any) -> int:
    """One sentence and where to look; a missing command shows the help, as people expect."""
    path = misuse.ctx.command_path if misuse.ctx else "rpgen"
    message = misuse.format_message().replace("Value error, ", "").strip().rstrip(".")
    if not message or message.startswith(path) or "Usage:" in message:
        print(misuse.ctx.get_help() if misuse.ctx else message, file=sys.stderr)
    else:
        fail(f"{message} (`{path} --help` lists what there is)")
    return ExitCode.USAGE


def _explain_system(error: OSError) -> int:
    """A path that no file can have is a mistake; what the system refuses to write is its own."""
    where = f"{str(error.filename)[:200]}: " if error.filename else ""
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL):
        fail(f"{where}{error.strerror}: give another path")
        return ExitCode.USAGE
    fail(f"{where}{error.strerror or error}")
    return ExitCode.OUTPUT


def _show_traceback(given: Sequence[str]) -> None:
    if "--debug" in given:
        import traceback

        traceback.print_exc()
