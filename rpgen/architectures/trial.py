"""Which levels and checks a tiny model stands, once its inputs are known.

All of them must pass. A file may leave some out, for a reason that is recognised (see
`rules`), which is remembered with the evidence; a level that is not reached is remembered with
what it said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rpgen import checks
from rpgen.architectures.rules import explained
from rpgen.checks.running import run
from rpgen.errors import RpgenError
from rpgen.models import tiny
from rpgen.models.examples.facts import facts_of
from rpgen.models.examples.spec import Spec, draw, from_plain, placed
from rpgen.models.load import built_model
from rpgen.models.recipe import Recipe, applies

Tensors = dict[str, Any]
_NEW_TOKENS = 4


@dataclass(frozen=True)
class Subject:
    """A tiny model, and two examples of its inputs. It stands in for a Checkpoint."""

    model_type: str
    recipe: Recipe
    config: Any
    model: Any
    inputs: Tensors
    other: Tensors

    def load_model(self, device: str = "cpu", dtype: str | None = None) -> Any:
        return built_model(self.config, self.recipe.auto_class, device=device, dtype=dtype)

    def forward(self, inputs: Mapping[str, Any]) -> Any:
        return run(self.model, inputs)

    def forward_freely(self, inputs: Mapping[str, Any]) -> Any:
        """Without a seed, so that drawing shows."""
        import torch

        with torch.inference_mode():
            return self.model(**inputs)

    def fresh(self) -> "Subject":
        """The same, with nothing left of what was done to the model."""
        return subject(self.model_type, self.recipe)

    def prompt(self) -> Tensors:
        return {k: v for k, v in self.inputs.items() if not k.startswith("decoder_")}


Check = Callable[[Subject], None]


def _can_generate(model: Any) -> bool:
    can = getattr(model, "can_generate", None)
    return can is not None and bool(can())


def _generates(one: Subject) -> None:
    if not _can_generate(one.model):
        raise AssertionError("transformers says that it can't generate")
    checks.assert_generates(one.model, one.prompt(), _NEW_TOKENS)


def _draws(one: Subject) -> None:
    checks.assert_leaves_torch_alone(one.forward_freely, one.inputs)


def _attends(one: Subject) -> None:
    if not checks.has_several_attentions(one.model):
        raise AssertionError("attention, if there is any, is written in one way only")
    checks.assert_attention_implementations_agree(one.model, one.inputs)


ALWAYS: Mapping[str, Check] = {
    "whole": lambda one: checks.assert_whole(one.model),
    "ready": lambda one: checks.assert_ready(one.model),
    "finite": lambda one: checks.assert_finite(one.forward(one.inputs)),
    "alive": lambda one: checks.assert_alive(one.forward(one.inputs)),
    "matters": lambda one: checks.assert_every_input_matters(one.model, one.inputs, one.other),
    "repeatable": lambda one: checks.assert_repeatable(
        one.forward, one.inputs, one.other, one.model
    ),
    "memory": lambda one: checks.assert_keeps_no_memory(one.forward, one.inputs),
    "fresh copy": lambda one: checks.assert_agrees_with_fresh_copy(one.model, one, one.inputs),
}
"""What every file holds; a type that fails one of these has not passed."""

LEVELS: Mapping[str, Check] = {
    "generation": _generates,
    "training": lambda one: checks.assert_a_training_step_helps(one.model, one, one.inputs),
}

OPTIONAL: Mapping[str, Check] = {
    "draws": _draws,
    "saving": lambda one: checks.assert_survives_saving(one.model, one.inputs),
    "layers": lambda one: checks.assert_promised_outputs(one.model, one.inputs),
    "attention": _attends,
    "gradients": lambda one: checks.assert_gradients_arrive(one.model, one.inputs),
    "rows": lambda one: checks.assert_rows_stand_alone(one.model, one.inputs),
    "look_ahead": lambda one: checks.assert_no_look_ahead(one.model, one.inputs, last=4),
    "cache": lambda one: checks.assert_cache_agrees(one.model, one.inputs),
    "bf16": lambda one: checks.assert_half_precision_is_close(one.model, one.inputs, ("bf16",)),
    "fp16": lambda one: checks.assert_half_precision_is_close(one.model, one.inputs, ("fp16",)),
}
"""What a file leaves out where there is a ground for it."""


@dataclass(frozen=True)
class Verdict:
    """The recipe with its levels and what is left out; `problem` is the first check that failed
    and is not left out."""

    recipe: Recipe
    problem: str | None = None


def try_out(model_type: str, recipe: Recipe, *, whole: bool = False) -> Verdict:
    """Runs the checks that a file may leave out; with `whole` also those that it may not."""
    one = subject(model_type, recipe)
    needed = ALWAYS if whole else {"finite": ALWAYS["finite"]}
    failed = {name: e for name, check in needed.items() if (e := _error(check, one)) is not None}
    problems = [f"{name}: {said_by(error)}" for name, error in failed.items()]
    if "finite" in failed:  # it doesn't run: nothing else is to be told of it
        return Verdict(replace(recipe, levels=(), missed={}, left_out={}), problems[0])
    reached: list[str] = [level for level in ("forward", "joint") if level in recipe.levels]
    missed: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, check in {**LEVELS, **OPTIONAL}.items():
        if not applies(name, recipe.auto_class, recipe.inputs):
            continue
        error = _error(check, one)
        if error is None:
            reached.extend([name] if name in LEVELS else [])
            continue
        one = one.fresh()  # who knows where the check left the model
        said = said_by(error)
        if name in LEVELS:
            missed[name] = said
        elif (why := explained(name, said, error, one)) is not None:
            left_out[name] = str(why)
        else:
            problems.append(f"{name}: {said}")
    if not _can_generate(one.model):
        missed.pop("generation", None)
    done = replace(recipe, levels=tuple(reached), missed=missed, left_out=left_out)
    return Verdict(done, problems[0] if problems else None)


def subject(model_type: str, recipe: Recipe) -> Subject:
    """The tiny model of a recipe with two examples, as a generated test would have them."""
    full = tiny.full_config(model_type, {})
    config = tiny.step_config(full, tiny.figures_of(full), recipe.rung, recipe.settings)
    model = built_model(config, recipe.auto_class)
    specs: dict[str, Spec] = {name: from_plain(plain) for name, plain in recipe.inputs.items()}
    special = facts_of(model).special_ids()
    first, second = (placed(draw(specs, seed, special), model) for seed in (0, 1))
    return Subject(model_type, recipe, config, model, first, second)


def _error(check: Check, one: Subject) -> Exception | None:
    """What the check complained of, None where it passed."""
    try:
        check(one)
    except (MemoryError, RpgenError):
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what is to be told)
        return error
    return None


def said_by(error: BaseException) -> str:
    """In one line."""
    words = " ".join(str(error).split())
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return f"{kind}{words}" if words else type(error).__name__
