"""`rpgen generate`: one test file a model."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpgen.cli.arguments import finite
from rpgen.cli.choices import Dtype, Weights
from rpgen.cli.console import warn
from rpgen.families import Family

if TYPE_CHECKING:
    from rpgen.generate.generate import Generator, Outcome
    from rpgen.generate.plan import Wishes
    from rpgen.hardware.types import BackendReport, HardwareSnapshot
    from rpgen.placement.preferences import Preferences
    from rpgen.placement.targets import Target


def generate(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="A hub id, a folder or a .gguf file; repeatable."),
    ] = None,
    models_file: Annotated[
        str | None,
        typer.Option("--models-file", help="A list with one model a line; - is standard input."),
    ] = None,
    architecture: Annotated[
        list[str] | None,
        typer.Option(
            "--architecture", help="A type of transformers, with tiny weights; repeatable."
        ),
    ] = None,
    all_architectures: Annotated[
        bool,
        typer.Option("--all-architectures", help="Every type that transformers has a model for."),
    ] = False,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", help="The folder for the test files.")
    ] = Path("skills"),
    device: Annotated[
        str,
        typer.Option(
            "--device", "-d", help="auto, cpu, cuda, cuda:1, rocm, mps, xpu, openvino, webgpu, …"
        ),
    ] = "auto",
    weights: Annotated[
        Weights,
        typer.Option(
            "--weights",
            help="auto takes the first that can be had and fits: pretrained, random, tiny.",
        ),
    ] = Weights.AUTO,
    dtype: Annotated[
        Dtype | None, typer.Option("--dtype", help="The precision that the test asks for.")
    ] = None,
    family: Annotated[
        Family | None, typer.Option("--family", help="Use this family, whatever the model is.")
    ] = None,
    use_model_family: Annotated[
        bool,
        typer.Option(
            "--use-model-family/--no-use-model-family",
            help="Choose the template by the model's family, or take the general one.",
        ),
    ] = True,
    revision: Annotated[
        str | None, typer.Option("--revision", help="A branch, tag or commit of the model.")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let the model run code of its own.")
    ] = False,
    hw_cache: Annotated[
        Path | None,
        typer.Option("--hw-cache", help="Inventory of hosts [hardware_cache.json]."),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Generate for this host of the inventory.")
    ] = None,
    model_db: Annotated[
        Path | None, typer.Option("--model-db", help="Another model database.")
    ] = None,
    template_dir: Annotated[
        Path | None,
        typer.Option("--template-dir", help="Templates that replace shipped ones by name."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            min=0,
            callback=finite,
            help="Minutes after which the test lets idle models go.",
        ),
    ] = 0.5,
    clear_cache: Annotated[
        bool,
        typer.Option(
            "--clear-cache", help="Forget what is cached of this host: detect its hardware anew."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that somebody edited, too.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is stale.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Say what is decided and why; show tracebacks.")
    ] = False,
) -> int:
    """Write a readable test file for each model.

    Needs no GPU, no network and no torch. A file that was edited is kept unless --force.
    """
    from rpgen.cli.generated import exit_code, print_json, print_lines
    from rpgen.generate.generate import Generator, Settings
    from rpgen.generate.names import collect_models
    from rpgen.generate.plan import Wishes
    from rpgen.generate.render import Renderer
    from rpgen.model_database import load

    if debug:
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")
    types = architecture or []
    named = bool(types) or all_architectures
    models = collect_models(model or [], models_file) if model or models_file or not named else []
    writes = not (check or dry_run)
    if clear_cache and writes:
        _forget_host(hw_cache)
    asked = _asked(device, dtype)
    wishes = Wishes(
        device=str(asked.target or asked.device or "auto"),
        dtype=str(dtype) if dtype else None,
        weights=str(weights),
        family=family,
        use_model_family=use_model_family,
        revision=revision,
        trust_remote_code=trust_remote_code,
        cleanup_minutes=timeout,
        template_dir=str(template_dir) if template_dir else None,
        model_db=str(model_db) if model_db else None,
    )
    _warn_of_absent_device(asked, _machine(hw_cache, host, keep=writes), host)
    settings = Settings(output_dir, force=force, dry_run=check or dry_run)
    database = load(model_db)
    generator = Generator(Renderer(template_dir), database, settings)
    types = list(dict.fromkeys([*types, *(generator.architectures() if all_architectures else ())]))
    if types:
        _warn_of_another_version(database.made_with.get("transformers"))
    outcomes = _generate_all(generator, models, types, wishes, as_values=as_json)
    if as_json:
        print_json(outcomes, check=check)
    else:
        print_lines(outcomes, planned=check or dry_run)
    return exit_code(outcomes, check=check)


def _generate_all(
    generator: "Generator",
    models: Sequence[str],
    types: Sequence[str],
    wishes: "Wishes",
    *,
    as_values: bool,
) -> "list[Outcome]":
    """`as_values`: the error of a single model is an outcome, too, as those of several are."""
    if len(models) + len(types) == 1 and not as_values:
        if models:
            return [generator.generate(models[0], wishes)]
        return [generator.generate_architecture(types[0], wishes)]
    return [
        *(generator.try_generate(text, wishes) for text in models),
        *(generator.try_generate_architecture(each, wishes) for each in types),
    ]


def _asked(device: str, dtype: str | None) -> "Preferences":
    """What a device's name means. Raises UsageError for one that placement doesn't know, or
    that doesn't compute in this precision."""
    from rpgen.placement.preferences import parse
    from rpgen.placement.targets import spelled

    return parse({"device": spelled(device), "precision": dtype and str(dtype)})


def _machine(
    hw_cache: Path | None, host: str | None, *, keep: bool
) -> "Callable[[], HardwareSnapshot]":
    """How the machine that the files are for is looked at. UsageError for a host that the
    inventory doesn't have; this one is looked at only where somebody needs to know."""
    from rpgen.hardware.cache import snapshot
    from rpgen.paths import default_hardware_cache

    inventory = hw_cache or (default_hardware_cache() if host else None)
    if host is None and hw_cache is None:
        return lambda: snapshot(None, warn=warn)
    found = snapshot(inventory, host=host, keep=keep, warn=warn)
    return lambda: found


def _warn_of_absent_device(
    asked: "Preferences", look: "Callable[[], HardwareSnapshot]", host: str | None
) -> None:
    """A file for a device that this machine lacks is fine; running it here will fall back."""
    wanted, where = asked.device, f"on {host}" if host else "here"
    if wanted is None or (host is None and asked.target is None and str(wanted) == "cpu"):
        return
    machine = look()
    if asked.target is not None:
        _warn_of_absent_backend(asked.target, machine, where)
        return
    report = machine.report(wanted.backend)
    if not report.available:
        warn(f"{wanted} can't be used {where}, tests fall back: {_why(report)}")
    elif wanted.index is not None and wanted.index >= len(report.devices):
        warn(f"there is no {wanted} {where}, tests fall back: {len(report.devices)} device(s)")


def _warn_of_another_version(made_with: str | None) -> None:
    """What the database remembers of the types holds for the transformers it was made with."""
    from rpgen.hardware.packages import installed_versions

    here = installed_versions(["transformers"], sys.path).get("transformers")
    if made_with and here and made_with.split(".")[:2] != here.split(".")[:2]:
        warn(
            f"what is known of the types was found out with transformers {made_with}, installed"
            f" is {here}, where some may not stand a check: the README says how to find it out"
        )


def _warn_of_absent_backend(target: "Target", machine: "HardwareSnapshot", where: str) -> None:
    import os

    from rpgen.placement.reach import why_skipped

    why = why_skipped(target, machine, os.environ)
    if why is not None:
        warn(f"{target} can't be used {where}, tests are skipped: {why}")


def _why(report: "BackendReport") -> str:
    return report.reason + (f" ({report.remedy})" if report.remedy else "")


def _forget_host(hw_cache: Path | None) -> None:
    """This host's entry in the inventory is made anew, where there is an inventory."""
    from rpgen.hardware.cache import snapshot
    from rpgen.paths import default_hardware_cache

    inventory = hw_cache or default_hardware_cache()
    if hw_cache is not None or inventory.exists():
        snapshot(inventory, refresh=True, warn=warn)
