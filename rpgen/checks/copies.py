"""A model against a second load of it, and against itself saved and loaded again."""

import math
import tempfile
from typing import Any

import torch

from rpgen.backends.figures import differences
from rpgen.checks.compare import assert_same
from rpgen.checks.elsewhere import torch_must_compute
from rpgen.checks.level import require_room
from rpgen.checks.model import depth_of, some
from rpgen.checks.running import Inputs, device_of, dtype_of, on, run
from rpgen.checks.tensors import named_tensors, place_of
from rpgen.checks.told import TOLD
from rpgen.models.load import give_forward
from rpgen.models.quiet import quiet_transformers

_OF_THE_LOAD = ("dtype", "_name_or_path", "transformers_version", "architectures")
"""Entries of a configuration that say how it was loaded and not what the model is."""

_SHOWN = 120  # characters of a value in a message: some configurations list 1000 labels


def assert_agrees_with_fresh_copy(model: torch.nn.Module, checkpoint: Any, inputs: Inputs) -> None:
    """A second load, on the CPU in fp32, has the same weights and gives the same result.

    On another device or in a half type this is the comparison with the CPU; everywhere it
    shows what happened to the shared model since it was loaded.
    """
    require_room(model, 1.0, torch.device("cpu"))
    fresh = checkpoint.load_model("cpu", "fp32")
    assert_same_configuration(model, fresh)
    assert_same_weights(model, fresh)
    assert_same_training(model, fresh)
    expected = run(fresh, on(inputs, device_of(fresh), torch.float32))
    found = run(model, inputs)
    if device_of(model).type != "cpu":
        tell_difference(found, expected, model)
    assert_same(found, expected, "a fresh copy on the CPU", model)


def tell_difference(found: Any, expected: Any, model: torch.nn.Module) -> None:
    """How far a device is from the CPU, for the reports."""
    there, here = dict(named_tensors(found)), dict(named_tensors(expected))
    moved = {name: there[name].cpu() for name in here if name in there}
    alike = {name: here[name] for name in moved}
    for each in differences(moved, alike, depth_of(model)):
        if math.isfinite(each.relative):
            TOLD.differs(each.relative, each.output)


def assert_survives_saving(model: torch.nn.Module, inputs: Inputs) -> None:
    """Saved and loaded again, it has the same configuration, the same weights and outputs."""
    torch_must_compute(model, "saving and loading are")
    require_room(model, 2.0)
    saved: Any = model
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        saved.save_pretrained(folder)
        config = type(saved.config).from_pretrained(folder, local_files_only=True)
        again, report = type(saved).from_pretrained(
            folder,
            config=config,  # as the Auto classes do: several types may share one model class
            dtype=dtype_of(saved),
            output_loading_info=True,
            local_files_only=True,
        )
    found = report if isinstance(report, dict) else vars(report)
    missing = sorted(str(key) for key in found.get("missing_keys") or ())
    if missing:
        raise AssertionError(f"not in the saved files: {some(missing)}")
    again = again.eval().to(saved.device)
    give_forward(again)
    assert_same_configuration(saved, again)
    assert_same_weights(saved, again)
    assert_same(run(saved, inputs), run(again, inputs), "the saved and loaded copy", saved)


def assert_same_configuration(model: Any, reference: Any) -> None:
    """What the model is (not how it was loaded) is configured alike."""
    found, wanted = model.config.to_dict(), reference.config.to_dict()
    for key in [*wanted, *(key for key in found if key not in wanted)]:
        if key in _OF_THE_LOAD or _plain(found.get(key)) == _plain(wanted.get(key)):
            continue
        raise AssertionError(
            f"the configuration says {key} = {_brief(found.get(key))} instead of"
            f" {_brief(wanted.get(key))}"
        )


def assert_same_weights(model: torch.nn.Module, reference: torch.nn.Module) -> None:
    """The same tensors by name, with the same values to the last bit of the model's dtype."""
    found, wanted = dict(_weights(model)), dict(_weights(reference))
    for word, names in (
        ("lacks", wanted.keys() - found),
        ("has in addition", found.keys() - wanted),
    ):
        if names:
            raise AssertionError(f"the model {word} {some(sorted(names))}")
    for name, tensor in wanted.items():
        _assert_equal(name, found[name].detach(), tensor.detach())


def assert_same_training(model: torch.nn.Module, reference: torch.nn.Module) -> None:
    """The same parameters may be trained."""
    trained = {name: tensor.requires_grad for name, tensor in reference.named_parameters()}
    frozen = [n for n, t in model.named_parameters() if t.requires_grad != trained[n]]
    if frozen:
        raise AssertionError(f"requires_grad differs from a fresh load: {some(frozen)}")


def _assert_equal(name: str, actual: torch.Tensor, expected: torch.Tensor) -> None:
    if actual.shape != expected.shape:
        raise AssertionError(
            f"{name} has shape {tuple(actual.shape)} instead of {tuple(expected.shape)}"
        )
    held, wanted = actual.cpu(), expected.to("cpu", actual.dtype)
    if torch.equal(held, wanted):
        return
    difference = (held.double() - wanted.double()).abs()
    difference = difference.masked_fill(torch.isnan(difference), float("inf"))
    place = place_of(difference.argmax(), held)
    raise AssertionError(
        f"{name}: {int((difference > 0).sum())} of {held.numel()} values differ from the"
        f" checkpoint, most at {list(place)} ({held[place]:.6g} instead of {wanted[place]:.6g});"
        " weights of one file are equal to the last bit"
    )


def _weights(model: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _plain(value: Any) -> Any:
    """Lists and tuples, and keys that JSON turned into text, are alike."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if k not in _OF_THE_LOAD}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
