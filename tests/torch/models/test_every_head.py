"""Every head of transformers on one architecture, and whole trials of one type a kind of input.

The types are chosen from the database, not listed: the first that has what is to be covered.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from rpgen.architectures.trial import ALWAYS, subject
from rpgen.errors import UsageError
from rpgen.heads import HEADS
from rpgen.model_database import load
from rpgen.models import tiny
from rpgen.models.example_inputs import example_inputs
from rpgen.models.examples.facts import facts_of
from rpgen.models.examples.search import Level, search
from rpgen.models.examples.spec import draw, from_plain, normal, to_plain, tokens, with_runs
from rpgen.models.recipe import from_plain as recipe_from_plain
from rpgen.models.recipe import to_plain as recipe_to_plain

KNOWN = load().raw_architectures


def working() -> dict[str, Mapping[str, Any]]:
    """Types whose tiny model is remembered without a problem, those of one part first."""
    found = {
        name: raw for name, raw in KNOWN.items() if raw.get("tiny", {"problem": ""}).get("inputs")
    }
    whole = {name: raw for name, raw in found.items() if "problem" not in raw["tiny"]}
    return dict(sorted(whole.items(), key=lambda each: len(each[1].get("parts", ()))))


def own_class(raw: Mapping[str, Any], auto_class: str) -> bool:
    """Some mappings lead from a type to a class of another one, which takes that one's parts."""
    name = raw.get("classes", {}).get(auto_class, "")
    return bool(name.startswith(raw["config"].removesuffix("Config")))


def one_for_each_head() -> Iterator[Any]:
    types = working()
    for head in HEADS:
        able = [name for name, raw in types.items() if own_class(raw, head.auto_class)]
        best = [n for n in able if types[n]["tiny"]["auto_class"] == head.auto_class]
        fitting = best or able
        if fitting:
            yield pytest.param(fitting[0], head.auto_class, id=f"{head.auto_class}-{fitting[0]}")


def cover() -> list[str]:
    """Few types that together have every family and every kind of input, alone and joint."""
    wanted: dict[str, str] = {}
    for name, raw in working().items():
        traits = {f"family {raw.get('family')}", f"inputs {raw.get('inputs')}"}
        traits |= {f"level {level}" for level in raw["tiny"]["levels"]}
        for trait in traits:
            wanted.setdefault(trait, name)
    return sorted(set(wanted.values()))


@pytest.mark.parametrize(("model_type", "auto_class"), list(one_for_each_head()))
def test_every_head_runs_on_inputs_made_from_the_model(model_type: str, auto_class: str) -> None:
    model = tiny.tiny_model(tiny.tiny_config(model_type, None, auto_class), auto_class)
    try:
        inputs = example_inputs(model)
    except UsageError as error:
        pytest.fail(str(error))
    with torch.inference_mode():
        outputs = model(**inputs)
    assert outputs is not None


@pytest.mark.parametrize("model_type", cover())
def test_the_checks_of_every_file_pass(model_type: str) -> None:
    one = subject(model_type, recipe_from_plain(KNOWN[model_type]["tiny"]))
    for check in ALWAYS.values():
        check(one)


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
