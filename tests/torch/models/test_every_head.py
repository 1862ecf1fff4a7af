"""Every head of transformers on one architecture, and files of types of every kind of input.

The types are chosen from the database, not listed: those that have what is to be covered.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rpgen import checks
from rpgen.checks.running import run as run_model
from rpgen.errors import UsageError
from rpgen.families import Family
from rpgen.generate.architecture import LEVELS
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.outputs import OUTPUTS
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.heads import HEAD_OF
from rpgen.model_database import load
from rpgen.models import tiny
from rpgen.models.example_inputs import example_inputs
from rpgen.models.examples.facts import facts_of
from rpgen.models.examples.search import Level, search
from rpgen.models.examples.spec import draw, from_plain, normal, to_plain, tokens, with_runs
from rpgen.models.recipe import from_plain as recipe_from_plain
from rpgen.models.recipe import to_plain as recipe_to_plain
from tests.generated_files import bad, run

KNOWN = load().raw_architectures
EMPTY = torch.empty(0)
NOBODYS = {"AutoModelForRetrieval": "transformers has its mapping, and no such class"}
"""Heads that no type of the installed transformers has."""

NOT_RUN = {
    "AutoModelForDecision": "it takes marks, question types and numbers of options of one prompt,"
    " whose meaning only its code tells",
}
"""Heads without an example that could be made from the model."""


def family_of(model_type: str) -> Family | None:
    known = load().architecture(model_type)
    return known.family if known else None


def working() -> dict[str, Mapping[str, Any]]:
    """Types whose tiny model is remembered without a problem: those that take rows of ids
    first, before those that take several streams of them, and of these the least inputs."""
    found = {name: raw for name, raw in KNOWN.items() if "inputs" in raw.get("tiny", ())}
    whole = {name: raw for name, raw in found.items() if "problem" not in raw["tiny"]}
    return dict(sorted(whole.items(), key=lambda each: (streams(each[1]), size(each[1]))))


def streams(raw: Mapping[str, Any]) -> bool:
    specs = raw["tiny"]["inputs"].items()
    return any(len(spec.get("shape", ())) > 2 for name, spec in specs if name.endswith("input_ids"))


def size(raw: Mapping[str, Any]) -> int:
    """So many values are given to the model in one call."""
    return sum(math.prod(spec.get("shape", ())) for spec in raw["tiny"]["inputs"].values())


def one_for_each_head() -> dict[str, str]:
    """The type to try a head on: one that is remembered with it, else one whose own class it
    is (some mappings lead to a class of another type, which takes that one's parts), else one
    that AutoModel doesn't know, of which nothing is remembered."""
    types = working()
    chosen = {}
    for auto_class in HEAD_OF:
        able = {name: raw for name, raw in KNOWN.items() if auto_class in raw.get("classes", ())}
        best = [n for n in types if types[n]["tiny"]["auto_class"] == auto_class]
        own = [n for n in sorted(types) if n in able and own_class(able[n], auto_class)]
        own.sort(key=lambda name: len(KNOWN[name].get("parts", ())))
        unknown = [n for n in able if "tiny" not in able[n] and own_class(able[n], auto_class)]
        if able and auto_class not in NOT_RUN:
            chosen[auto_class] = [*best, *own, *unknown][0]
    return chosen


def own_class(raw: Mapping[str, Any], auto_class: str) -> bool:
    name = raw["classes"][auto_class]
    return bool(name.startswith(raw["config"].removesuffix("Config")))


def traits(model_type: str) -> set[str]:
    raw = KNOWN[model_type]
    kinds = {f"family {family_of(model_type)}", f"inputs {', '.join(raw.get('inputs', ()))}"}
    return kinds | {f"level {level}" for level in raw.get("tiny", {}).get("levels", ())}


def cover() -> list[str]:
    """Few types that together have every family, every combination of inputs and every level."""
    types = working()
    left, chosen = set[str]().union(*map(traits, types)), list[str]()
    while left:
        chosen.append(max(types, key=lambda name: len(traits(name) & left)))
        left -= traits(chosen[-1])
    return chosen


COVER = cover()
ONE_FOR_EACH_HEAD = one_for_each_head()


def test_every_head_that_a_type_has_is_run() -> None:
    had = {auto_class for raw in KNOWN.values() for auto_class in raw.get("classes", ())}
    assert set(ONE_FOR_EACH_HEAD) == had - set(NOT_RUN)
    assert set(HEAD_OF) - had == set(NOBODYS)


@pytest.mark.parametrize(("auto_class", "model_type"), ONE_FOR_EACH_HEAD.items())
def test_every_head_gives_what_it_promises(auto_class: str, model_type: str) -> None:
    config = tiny.tiny_config(model_type, None, auto_class)
    model = tiny.tiny_model(config, auto_class)
    assert type(model).__name__ == KNOWN[model_type]["classes"][auto_class]
    try:
        inputs = example_inputs(model)
    except UsageError as error:
        pytest.fail(str(error))
    outputs = run_model(model, inputs)
    checks.assert_finite(outputs)
    promised = OUTPUTS.get(auto_class)
    if promised is not None and promised.field is not None and promised.shape is not None:
        known = {"batch": len(next(iter(inputs.values()))), "self": SimpleNamespace(model=model)}
        known["length"] = inputs.get("decoder_input_ids", inputs.get("input_ids", EMPTY)).shape[-1]
        sizes = [None if each is None else eval(each, known) for each in promised.shape]
        assert_shape(outputs[promised.field], sizes)


def assert_shape(tensor: torch.Tensor, sizes: Sequence[int | None]) -> None:
    both = zip(sizes, tensor.shape, strict=True)
    wanted = [own if size is None else size for size, own in both]
    assert list(tensor.shape) == wanted


def test_the_sample_has_all_families_and_inputs_that_there_are() -> None:
    every = [name for name, raw in KNOWN.items() if "AutoModel" in raw.get("classes", ())]
    there = {each for name in every for each in traits(name) if not each.startswith("level")}
    assert there - {each for name in COVER for each in traits(name)} == set()
    assert {f"level {level}" for level in LEVELS} <= {each for n in COVER for each in traits(n)}


@pytest.mark.parametrize("model_type", COVER)
def test_the_file_of_a_type_passes(model_type: str, tmp_path: Path) -> None:
    generator = Generator(Renderer(), load(), Settings(tmp_path))
    outcome = generator.generate_architecture(model_type, Wishes(device="cpu", weights="tiny"))
    assert outcome.path is not None
    result = run(outcome.path.read_text("utf-8"), place=outcome.path)
    assert not bad(result)
    assert not result.skipped, result.skipped


def test_two_types_in_one_call() -> None:
    model = tiny.tiny_model(tiny.tiny_config("clip"), "AutoModel")
    found, _ = search(model)
    assert found is not None
    assert found.level is Level.JOINT
    assert {"input_ids", "pixel_values"} <= set(found.specs)


def test_a_model_that_takes_nothing_known_says_what_it_raised() -> None:
    class Odd(torch.nn.Module):
        main_input_name = "spectrum"
        device, dtype = torch.device("cpu"), torch.float32

        def __init__(self) -> None:
            super().__init__()
            self.config = tiny.tiny_config("bert")

        def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
            raise ValueError("the moon must be full")

    with pytest.raises(UsageError, match="the moon must be full"):
        example_inputs(Odd())


def test_drawing_is_by_seed_and_leaves_the_generators_alone() -> None:
    specs = {"ids": with_runs(tokens((2, 9), 100), [(1, 3, 77)]), "pixels": normal(2, 3, 4, 4)}
    state = torch.get_rng_state()
    first, again, other = (draw(specs, seed, {5, 6}) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    for name in specs:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
    assert first["ids"][:, 1:4].eq(77).all()
    assert not torch.isin(first["ids"], torch.tensor([5, 6])).any()


@pytest.mark.parametrize("model_type", ["clip", "whisper", "vit", "llama"])
def test_a_recipe_and_its_specs_come_back_from_plain_values(model_type: str) -> None:
    plain = KNOWN[model_type]["tiny"]
    assert recipe_to_plain(recipe_from_plain(plain)) == plain
    for spec in plain["inputs"].values():
        assert to_plain(from_plain(spec)) == spec


def test_special_ids_are_known() -> None:
    model = tiny.tiny_model(tiny.tiny_config("llava"), "AutoModel")
    assert model.config.image_token_id in facts_of(model).special_ids()
