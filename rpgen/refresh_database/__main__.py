"""`python -m rpgen.refresh_database [--check] [--output FILE]`.

Architectures are read anew from the installed transformers. Of the well-known models the
figures are a person's work and are kept; their parameters are counted again.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from rpgen import paths
from rpgen.errors import DataError, ExitCode, OutputError, RpgenError
from rpgen.model_database import ModelDatabase, load, load_or_shipped
from rpgen.refresh_database import build, count
from rpgen.whole_files import write_whole

SHOWN = 20
KEPT = ("tiny", "never", "heads")
"""What `python -m rpgen.architectures` and its `families` found out, and what is known of trained
weights."""
CANT_BUILD = (
    AttributeError, ImportError, KeyError, RuntimeError, StrictDataclassError, TypeError,
    ValueError,
)  # fmt: skip
"""What transformers raises for figures, or a type, that it can't make a model of here."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rpgen.refresh_database", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    parser.add_argument("--output", type=Path, default=None, help="the database (the shipped one)")
    options = parser.parse_args(arguments)
    path = options.output or paths.model_database_file()
    try:
        return check(path) if options.check else refresh(path)
    except RpgenError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)


def refresh(path: Path) -> int:
    """Write the database anew, in one step, keeping what people wrote."""
    old = load_or_shipped(path)
    types = kept(build.architectures(), old.raw_architectures)
    models, uncounted = counted(old)
    text = build.text(installed(), types, models, old.raw_names)
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"{path} can't be written ({error.strerror}): choose --output") from error
    print(f"{path}: {len(types)} architectures, {len(models)} models, {len(text) // 1024} KB")
    if uncounted:
        print(
            f"{len(uncounted)} models keep the figures they had, because transformers"
            f" {installed()['transformers']} can't build them: {', '.join(uncounted)}"
        )
    return int(ExitCode.OK)


def check(path: Path) -> int:
    """Whether the file says what the installed transformers says; prints what differs.

    Another transformers than the one it was made with has other architectures: that is
    reported, and it is not a fault of the file, so it passes.
    """
    database = load(path)
    made_with, here = database.made_with.get("transformers"), installed()["transformers"]
    differences = compare(database.raw_architectures, build.architectures())
    if made_with != here:
        print(f"{path} was made with transformers {made_with}, installed is {here}:")
        print(f"{len(differences)} architectures differ; refresh it when {here} becomes the pin")
        return int(ExitCode.OK)
    differences += unbuildable(database)
    for line in differences[:SHOWN]:
        print(line)
    if not differences:
        print(f"{path} is in step with transformers {here}")
        return int(ExitCode.OK)
    print(f"{len(differences)} differences: run `python -m rpgen.refresh_database`")
    return int(ExitCode.FAILED)


def installed() -> dict[str, str]:
    from importlib.metadata import version  # what is to be known costs no import

    return {"transformers": version("transformers")}


def kept(fresh: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The architectures with what was found out about them (`python -m rpgen.architectures`)
    and what people know of their trained weights, which no code can find without these."""
    for name, entry in fresh.items():
        never = {**known_by_people(old.get(name, {})), **entry.pop("never", {})}
        found = {**old.get(name, {}), "never": never}
        entry.update({key: found[key] for key in KEPT if found.get(key)})
    return fresh


def known_by_people(entry: Mapping[str, Any]) -> dict[str, str]:
    said = entry.get("never", {})
    return {check: why for check, why in said.items() if not why.startswith(build.KEEPS)}


def compare(stored: Mapping[str, Any], fresh: Mapping[str, Any]) -> list[str]:
    """One line per architecture that is missing, gone or different."""
    lines = [f"{name}: not in the file" for name in fresh if name not in stored]
    lines += [f"{name}: no longer in transformers" for name in stored if name not in fresh]
    fresh = kept({name: dict(entry) for name, entry in fresh.items()}, stored)
    for name in sorted(stored.keys() & fresh.keys()):
        keys = sorted(stored[name].keys() | fresh[name].keys())
        changed = [key for key in keys if stored[name].get(key) != fresh[name].get(key)]
        if changed:
            told = ", ".join(
                f"{key} {stored[name].get(key)!r} is now {fresh[name].get(key)!r}"
                for key in changed
            )
            lines.append(f"{name}: {told}")
    return lines


def counted(database: ModelDatabase) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The well-known models as stored, each with its parameters counted anew; and the ids of
    those that the installed transformers, which may be an older one, can't build.

    Raises DataError for one that can't be counted and never was.
    """
    result, uncounted = {}, []
    for model in database.models():
        raw = dict(database.raw_models[model.model_id])
        if model.model_type is None or model.auto_class is None:
            raise DataError(f"{model.model_id} has no type or no head: add them or take it out")
        try:
            figures = count.needed(model.model_type, model.config)
            raw["parameters"] = count.parameters(model.model_type, model.auto_class, figures)
        except CANT_BUILD as error:
            if "parameters" in raw:
                result[model.model_id] = raw
                uncounted.append(model.model_id)
                continue
            message = f"{model.model_id} can't be built from its figures ({error}): correct them"
            raise DataError(message) from error
        raw.pop("config", None)
        order = ("model_type", "family", "subfamily", "auto_class", "parameters")
        result[model.model_id] = {key: raw[key] for key in order if raw.get(key)} | (
            {"config": figures} if figures else {}
        )
    return result, uncounted


def unbuildable(database: ModelDatabase) -> list[str]:
    """The well-known models that the installed transformers has no class for."""
    lines = []
    for model in database.models():
        architecture = database.architecture(model.model_type)
        if architecture is None:
            lines.append(f"{model.model_id}: {model.model_type} is not an architecture")
        elif model.auto_class not in architecture.auto_classes:
            lines.append(f"{model.model_id}: {model.model_type} has no {model.auto_class}")
        elif model.parameters is None:
            lines.append(f"{model.model_id}: its parameters are not counted")
    return lines


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it builds what nobody will run
    sys.exit(main())
