"""Wrong over time: modes, switches, memory, saving, generating."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.broken.subject import (
    DoesNotApplyError,
    Subject,
    change_input,
    change_output,
    inner_weight,
)

_HALF_A_GIGABYTE = 2**27  # values in float32


def run_takes_more(subject: Subject) -> None:
    def wasteful(y: torch.Tensor) -> torch.Tensor:
        room = torch.empty(_HALF_A_GIGABYTE)
        return y if room.numel() else room

    change_output(subject.layers[0], wasteful)


def weights_held_twice(subject: Subject) -> None:
    """Never saved, so that a second load does not show it."""
    for number, weight in enumerate([*subject.model.parameters()]):
        copied = torch.cat([weight.detach().reshape(-1)] * 3)
        subject.model.register_buffer(f"copy_{number}", copied, persistent=False)


def left_in_training_mode(subject: Subject) -> None:
    subject.model.train()


def one_layer_in_training_mode(subject: Subject) -> None:
    subject.layers[1].train()


def dropout_always_on(subject: Subject) -> None:
    drop = torch.nn.functional.dropout
    change_output(subject.layers[0], lambda y: drop(y, 0.1, training=True))


def default_dtype_flipped(subject: Subject) -> None:
    _on_each_run(subject, lambda: torch.set_default_dtype(torch.float64))


def deterministic_algorithms_flipped(subject: Subject) -> None:
    _on_each_run(subject, lambda: torch.use_deterministic_algorithms(True, warn_only=True))


def generator_seeded(subject: Subject) -> None:
    _on_each_run(subject, lambda: torch.manual_seed(0))


def results_kept(subject: Subject) -> None:
    kept: list[Any] = []

    def keep(y: Any) -> Any:
        kept.append(y)
        return y

    change_output(subject.layers[0], keep)


def weights_drift(subject: Subject) -> None:
    weight = inner_weight(subject)
    _on_each_run(subject, lambda: weight.data.mul_(1.001))


def weights_frozen(subject: Subject) -> None:
    subject.model.requires_grad_(False)


def cast_to_bfloat16(subject: Subject) -> None:
    subject.model.to(torch.bfloat16)


def configuration_changed(subject: Subject) -> None:
    """A number of the configuration is no longer that of the file."""
    model = subject.model
    model.config = copy.deepcopy(model.config)  # tiny models of one Checkpoint share theirs
    config = model.config.get_text_config()
    for name, value in config.to_dict().items():
        if isinstance(value, float) and 0 < value < 1:
            setattr(config, name, value / 2)
            return
    raise DoesNotApplyError("no number in its configuration")


def saving_loses_a_tensor(subject: Subject) -> None:
    model = subject.model
    wanted = inner_weight(subject)
    lost = next(name for name, tensor in model.named_parameters() if tensor is wanted)
    original = model.state_dict

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        state = original(*args, **kwargs)
        state.pop(lost, None)
        return state

    model.state_dict = broken


def generation_past_its_limit(subject: Subject) -> None:
    _change_generation(subject, lambda given: {**given, "max_new_tokens": _more(given)})


def generation_without_end(subject: Subject) -> None:
    def broken(given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "eos_token_id": -1, "min_new_tokens": given.get("max_new_tokens")}

    _change_generation(subject, broken)


def generation_by_chance(subject: Subject) -> None:
    """It samples though greedy generation was asked for, each time otherwise."""

    def broken(given: dict[str, Any]) -> dict[str, Any]:
        torch.seed()
        return {**given, "do_sample": True, "temperature": 5.0}

    _change_generation(subject, broken)


def prompt_changed(subject: Subject) -> None:
    if subject.name not in ("gpt2", "llava"):
        raise DoesNotApplyError("it doesn't return the prompt")
    model = subject.model
    original = model.generate

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        outputs = original(*args, **kwargs)
        outputs.sequences[:, 0] = 11
        return outputs

    model.generate = broken


def _more(given: dict[str, Any]) -> int:
    return int(given.get("max_new_tokens") or 8) + 3


def _change_generation(
    subject: Subject, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    if not subject.writes:
        raise DoesNotApplyError("it generates nothing")
    model = subject.model
    original = model.generate

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **change(kwargs))

    model.generate = broken


def _on_each_run(subject: Subject, act: Callable[[], object]) -> None:
    def broken(given: dict[str, Any]) -> dict[str, Any]:
        act()
        return given

    change_input(subject.model, broken)


FAULTS = {
    "left in training mode": left_in_training_mode,
    "one layer in training mode": one_layer_in_training_mode,
    "dropout always on": dropout_always_on,
    "the default dtype flipped": default_dtype_flipped,
    "deterministic algorithms flipped": deterministic_algorithms_flipped,
    "the generator seeded": generator_seeded,
    "results kept in memory": results_kept,
    "a run takes half a gigabyte more": run_takes_more,
    "the weights held twice": weights_held_twice,
    "weights drift from run to run": weights_drift,
    "weights frozen": weights_frozen,
    "the model cast to bfloat16": cast_to_bfloat16,
    "the configuration changed": configuration_changed,
    "saving loses a tensor": saving_loses_a_tensor,
    "generation past its limit": generation_past_its_limit,
    "generation without an end": generation_without_end,
    "generation by chance": generation_by_chance,
    "the prompt changed": prompt_changed,
}
