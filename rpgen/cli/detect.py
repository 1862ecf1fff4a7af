"""`rpgen detect`: what this machine has, with the evidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rpgen.cli.console import warn

if TYPE_CHECKING:
    from rpgen.hardware.types import HardwareSnapshot


def detect(
    hw_cache: Annotated[
        Path | None,
        typer.Option(
            "--hw-cache",
            help="Keep and reuse the answer in this inventory of hosts [hardware_cache.json].",
        ),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Look again, whatever the inventory says.")
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Compute on each device and backend and check the results."),
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Say what this model would run on here.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check that all parts of rpgen work together.")
    ] = False,
    install_browser: Annotated[
        bool,
        typer.Option(
            "--install-browser",
            help="Fetch the browser for WebGPU, WebNN and wasm (100 MB) into the user's cache.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the evidence, and tracebacks.")
    ] = False,
) -> int:
    """Show what hardware and backends are here, what is missing, and what to install.

    Imports no torch; --deep and --check do, in a process of their own.
    """
    if install_browser:
        from rpgen.cli.browser_install import install_and_print

        return install_and_print(as_json=as_json)
    if check and (model or deep or hw_cache or refresh):
        from rpgen.errors import UsageError

        raise UsageError("--check tries all parts of rpgen as they are: it stands alone")
    if check:
        from rpgen.cli.integration_check import check_and_print

        return check_and_print(as_json=as_json, debug=debug)
    from rpgen.hardware.cache import snapshot

    found = snapshot(_cache_file(hw_cache), refresh=refresh, deep=deep, warn=warn)
    if model is not None:
        _print_model(model, found, as_json)
    elif as_json:
        _print_json(_as_dict(found))
    else:
        from rpgen.cli.hardware_table import print_hardware

        print_hardware(found, with_evidence=debug or deep)
    return 0


def _cache_file(named: Path | None) -> Path | None:
    """The inventory: as named, else as `HARDWARE_DETECTION_CACHE` has it, else none."""
    import os

    from_environment = os.environ.get("HARDWARE_DETECTION_CACHE")
    return named or (Path(from_environment) if from_environment else None)


def _print_model(model: str, found: "HardwareSnapshot", as_json: bool) -> None:
    from rpgen.hardware_detection import outlook_of

    answer = outlook_of(model, found)
    if as_json:
        _print_json(answer.to_dict())
    else:
        print("\n".join(answer.lines()))


def _as_dict(found: "HardwareSnapshot") -> dict[str, Any]:
    from rpgen.hardware.memory import host_memory
    from rpgen.hardware.serialise import to_dict

    memory = host_memory()
    return {
        "schema": 1,
        **to_dict(found),
        "memory_available_mb": memory.available_mb,
        "memory_limit_source": memory.limit_source,
    }


def _print_json(value: dict[str, Any]) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
