"""Outputs against those that were written down: did the model drift, by how much, since when?"""

import math
import os
import platform
import unittest
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rpgen.checks.baseline_file import (
    Baseline,
    Fingerprint,
    folder_of_baselines,
    place_of_baseline,
    read,
    write,
)
from rpgen.checks.fingerprint import Drift, drifts, fingerprints, of_parameters
from rpgen.checks.model import depth_of
from rpgen.checks.running import Inputs, device_of, dtype_of, run
from rpgen.checks.told import TOLD
from rpgen.checks.tolerance import computed_in
from rpgen.errors import DataError

VARIABLE = "RPGEN_BASELINES"
UPDATE = "update"
_SHOWN = 5
_SUMMED = 3e-6  # how far sums of one tensor's values are apart, summed by other machines
_NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


Test = Callable[[Any], None]


def if_recorded(test_file: str) -> Callable[[Test], Test | None]:
    """A test that is in its class only where there is a baseline beside `test_file`, for whatever
    device and weights, or where one is to be written."""
    wanted = os.environ.get(VARIABLE) == UPDATE or folder_of_baselines(test_file).is_dir()
    return lambda test: test if wanted else None


def assert_as_in_baseline(
    model: torch.nn.Module, checkpoint: Any, inputs: Inputs, test_file: str
) -> None:
    """The outputs for `inputs` are those of the baseline beside `test_file`, within rounding.

    With `rpgen run --update-baselines` the baseline is written instead, unless the one that is
    there still agrees. Without one for this device, dtype and weights the test is skipped.
    """
    told = checkpoint.describe()
    device, dtype = kind_of_device(model), dtype_of(model)
    name = _NAMES.get(dtype, str(dtype).removeprefix("torch."))
    path = place_of_baseline(test_file, told["weights"], told["revision"], device, name)
    updating = os.environ.get(VARIABLE) == UPDATE
    if not updating and not path.exists():
        raise unittest.SkipTest(_nothing(path))
    versions = _versions(device_of(model))
    found = Baseline(
        model=told["name"],
        revision=told["revision"],
        weights=told["weights"],
        device=device,
        dtype=name,
        recorded_with=versions,
        agreed_with=versions,
        parameters=of_parameters(model),
        inputs=fingerprints(dict(inputs)),
        outputs=fingerprints(run(model, inputs)),
    )
    if updating:
        _update(path, found, model)
    else:
        _compare(path, found, model)


def _compare(path: Path, found: Baseline, model: torch.nn.Module) -> None:
    recorded = read(path)
    if recorded is None:
        raise unittest.SkipTest(_nothing(path))
    told = _told(found, recorded, model)
    if told:
        raise AssertionError("\n".join([f"{told[0]} ({_shown(path)})", *told[1:]]))


def kind_of_device(model: torch.nn.Module) -> str:
    """Where the outputs are computed: a backend beside torch, else torch's kind of device."""
    computed = getattr(model, "rpgen_backend", None)
    if computed is not None:
        return str(computed.target)
    kind = str(device_of(model).type)
    return "rocm" if kind == "cuda" and torch.version.hip else kind


def _versions(device: torch.device) -> dict[str, str]:
    import transformers

    machine = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    if device.type == "cuda":
        machine = str(torch.cuda.get_device_name(device))
    found = {"torch": torch.__version__, "transformers": transformers.__version__}
    return {**{name: str(version) for name, version in found.items()}, "machine": machine}


def _update(path: Path, found: Baseline, model: torch.nn.Module) -> None:
    try:
        recorded = read(path)
    except DataError as error:
        recorded, why = None, f"what was there could not be used: {error.__cause__ or error}"
    else:
        why = "there was none"
    told = _told(found, recorded, model) if recorded is not None else [why]
    if recorded is None or told:
        write(path, found)
        TOLD.remark(f"baseline written: {_shown(path)} ({told[0]})")
    elif recorded.agreed_with != found.agreed_with:
        write(path, replace(recorded, agreed_with=found.agreed_with))
        TOLD.remark(f"baseline still agrees: {_shown(path)} (its versions are noted)")


def _told(found: Baseline, recorded: Baseline, model: torch.nn.Module) -> list[str]:
    """What differs from the baseline, in lines; none where all agrees."""
    dtype, depth = computed_in(dtype_of(model), model), depth_of(model)
    outputs = drifts(found.outputs, recorded.outputs, dtype, depth)
    inputs = drifts(found.inputs, recorded.inputs, torch.float32, 1)
    if not outputs and not inputs:
        return []
    lines = [f"{len(outputs)} of {len(found.outputs)} outputs have drifted from the baseline"]
    if inputs:
        lines = ["the inputs are others than those of the baseline"]
    lines += _listed(inputs, "inputs") + _listed(outputs, "outputs")
    lines.append(_about_weights(found.parameters, recorded.parameters))
    return [*lines, _since(found.recorded_with, recorded)]


def _listed(found: list[Drift], what: str) -> list[str]:
    lines = [f"  {what}.{each.name}: {each.what}" for each in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return [*lines, f"  and {more} more of the {what}"] if more > 0 else lines


def _about_weights(found: Fingerprint, recorded: Fingerprint) -> str:
    if found.shape != recorded.shape:
        return f"the model has {found.shape[0]} parameters, it had {recorded.shape[0]}"
    figures = [(each.mean, *each.parts, *each.values) for each in (found, recorded)]
    if not all(math.isclose(a, b, rel_tol=_SUMMED) for a, b in zip(*figures, strict=False)):
        return "the weights are others than those of the baseline"
    return "the weights are those of the baseline, as far as their means tell"


def _since(now: Mapping[str, str], recorded: Baseline) -> str:
    """The versions that it last agreed with, and what is another one now."""
    last = recorded.agreed_with or recorded.recorded_with
    changed = [
        f"{name} {last.get(name, 'unknown')} -> {now[name]}"
        for name in sorted(now)
        if now[name] != last.get(name)
    ]
    if not changed:
        agreed = ", ".join(f"{name} {version}" for name, version in sorted(last.items()))
        return f"versions and machine are those of the baseline ({agreed})"
    return f"changed since it last agreed: {', '.join(changed)}"


def _nothing(path: Path) -> str:
    others = sorted(each.stem for each in path.parent.glob("*.json"))
    beside = f" (there is one for {', '.join(others)})" if others else ""
    return f"no baseline for {path.stem} is here{beside}: rpgen run --update-baselines writes it"


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
