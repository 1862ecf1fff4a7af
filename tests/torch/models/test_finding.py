"""How an entry of the database is found, tried out, kept and used, on one small type."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from rpgen import model_database, paths
from rpgen.architectures import one as finding
from rpgen.architectures.explore import explore
from rpgen.architectures.heads import heads_of
from rpgen.architectures.one import find
from rpgen.architectures.trial import try_out
from rpgen.errors import UsageError
from rpgen.models import tiny
from rpgen.models.example_inputs import example_inputs
from rpgen.models.examples import search as searching
from rpgen.models.recipe import Recipe, from_plain, to_plain

HEAD = "AutoModelForMaskedLM"
CLASSES = {"AutoModelForMaskedLM": "BertForMaskedLM", "AutoModel": "BertModel"}
IDS = {"kind": "tokens", "shape": [2, 12], "high": 1000}
FLOATS = {"kind": "normal", "shape": [2, 12], "dtype": "float32"}
WRONG = {"auto_class": HEAD, "rung": 0, "levels": ["forward"], "inputs": {"input_ids": FLOATS}}

Use = Callable[..., None]


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Use:
    """Makes a database that knows bert alone, with a `tiny` entry."""

    def use(known: dict[str, Any] | None, version: str | None = None) -> None:
        shipped = model_database.load(paths.shipped_model_database())
        raw = {"config": "BertConfig", "auto_class": HEAD, "inputs": ["text"], "classes": CLASSES}
        content = {
            "schema": 1, "made_with": {"transformers": version} if version else shipped.made_with,
            "architectures": {"bert": {**raw, **({"tiny": known} if known else {})}},
            "models": {}, "names": {},
        }  # fmt: skip
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(content))
        monkeypatch.setenv(paths.MODEL_DATABASE, str(path))

    return use


@pytest.fixture(scope="module")
def remembered() -> Recipe:
    return from_plain(find("bert"))


def no_search(*given: Any, **options: Any) -> NoReturn:
    pytest.fail("this searches")


def test_exploring_finds_a_form_and_inputs_without_any_entry(entry: Use) -> None:
    entry(None)
    found = explore("bert", heads_of(HEAD, list(CLASSES)), ("text",))
    assert found.problem is None
    assert found.recipe is not None
    assert found.recipe.auto_class == HEAD
    assert found.model_class == "BertForMaskedLM"
    assert "input_ids" in found.recipe.inputs
    assert found.recipe.levels == ("forward",)


def test_a_head_that_there_is_not_is_a_problem_with_its_reason(entry: Use) -> None:
    entry(None)
    found = explore("of-a-later-version", ["AutoModel"], ("text",))
    assert found.recipe is None
    assert "of-a-later-version" in str(found.problem)


def test_trying_out_says_what_a_type_stands(remembered: Recipe) -> None:
    verdict = try_out("bert", remembered, whole=True)
    assert verdict.problem is None
    assert to_plain(verdict.recipe) == to_plain(remembered)
    broken = Recipe(HEAD, 0, inputs=WRONG["inputs"], levels=("forward",))
    told = try_out("bert", broken, whole=True).problem
    assert told is not None
    assert told.startswith("finite: ")


def test_what_is_remembered_and_holds_is_not_searched(
    entry: Use, remembered: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry(to_plain(remembered))
    monkeypatch.setattr(finding, "explore", no_search)
    assert find("bert") == to_plain(remembered)


@pytest.mark.parametrize("known", [None, WRONG])
def test_what_is_not_remembered_or_does_not_hold_is_searched(
    entry: Use, known: dict[str, Any] | None
) -> None:
    entry(known)
    found = find("bert")
    assert "problem" not in found
    assert "training" in found["levels"]


def test_anew_everything_is_searched_and_the_better_entry_stays(
    entry: Use, remembered: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry(to_plain(remembered))
    results = iter([{"problem": "does not build"}, {**to_plain(remembered), "rung": 3}])
    monkeypatch.setattr(finding, "_searched", lambda known, seconds: next(results))
    assert find("bert", anew=True) == to_plain(remembered)
    assert find("bert", anew=True)["rung"] == 3


def bert() -> Any:
    return tiny.tiny_model(tiny.tiny_config("bert", None, HEAD), HEAD)


def test_a_run_takes_the_remembered_inputs_and_searches_nothing(
    remembered: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "search", no_search)
    assert list(example_inputs(bert())) == list(remembered.inputs)


def test_an_argument_that_only_a_part_names_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "search", no_search)
    config = tiny.tiny_config("voxtral_realtime_text", None, "AutoModel")
    assert "t_cond" in example_inputs(tiny.tiny_model(config, "AutoModel"))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (WRONG, "what the model database remembers of bert doesn't hold"),
        ({**WRONG, "inputs": {"pixel_values": IDS}}, "its forward takes no pixel_values"),
    ],
)
def test_an_entry_that_does_not_hold_is_told_and_not_searched_around(
    entry: Use, monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], said: str
) -> None:
    entry(known)
    model = bert()
    with monkeypatch.context() as patched:
        patched.setattr(searching, "search", no_search)
        with pytest.raises(UsageError, match=said):
            example_inputs(model)


def test_with_another_transformers_or_another_head_a_search_takes_over(entry: Use) -> None:
    entry(WRONG, version="5.0.1")
    assert "input_ids" in example_inputs(bert())
    entry(WRONG)
    other = tiny.tiny_model(tiny.tiny_config("bert", None, "AutoModel"), "AutoModel")
    assert "input_ids" in example_inputs(other)
