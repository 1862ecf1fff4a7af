"""Which weights are taken, decided from facts alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from rpgen.errors import ModelUnavailableError, UsageError
from rpgen.models import Checkpoint
from rpgen.models.hub import HubAnswer
from rpgen.models.local_files import LocalFiles
from rpgen.models.weights import Weights, WeightsFacts, choose_weights, needs_hub

NO_HUB = HubAnswer(None, "no hub in reach")
HERE = Path("/models/m")
CONFIG = LocalFiles(folder=HERE, config={"model_type": "bert"}, problem="no weights here")
WHOLE = replace(CONFIG, weight_files=(HERE / "model.safetensors",), problem=None)
TORN = replace(WHOLE, problem="model.safetensors is torn")
NOTHING = LocalFiles(problem="not in the cache")


def facts(asked: Weights, files: LocalFiles = NOTHING, **more: object) -> WeightsFacts:
    given = {"model_type": "bert", "config_known": files.config is not None, **more}
    return WeightsFacts("m", asked, files, **{"hub": NO_HUB, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [Weights.AUTO, Weights.PRETRAINED])
def test_whole_weights_are_taken(asked: Weights) -> None:
    choice = choose_weights(facts(asked, WHOLE))
    assert (choice.kind, choice.folder) == (Weights.PRETRAINED, HERE)


@pytest.mark.parametrize("asked", [Weights.AUTO, Weights.PRETRAINED])
def test_the_hub_is_taken_where_it_has_the_model(asked: Weights) -> None:
    choice = choose_weights(facts(asked, hub=HubAnswer(True, "the hub has it", "abc")))
    assert (choice.kind, choice.folder, choice.revision) == (Weights.PRETRAINED, None, "abc")


def test_pretrained_that_can_not_be_had_says_both_reasons() -> None:
    with pytest.raises(ModelUnavailableError, match="not in the cache; no hub in reach"):
        choose_weights(facts(Weights.PRETRAINED))


def test_auto_without_anything_is_tiny_and_says_why() -> None:
    choice = choose_weights(facts(Weights.AUTO))
    assert choice.kind is Weights.TINY
    assert choice.reason == "not in the cache; no hub in reach"


def test_auto_never_invents_a_model_that_the_hub_does_not_know() -> None:
    with pytest.raises(ModelUnavailableError, match="has no model"):
        choose_weights(facts(Weights.AUTO, hub=HubAnswer(False, "the hub has no model 'm'")))


@pytest.mark.parametrize(
    ("parameters", "free_mb", "kind", "said"),
    [
        (100_000_000, 4_000.0, Weights.RANDOM, "no weights here"),
        (100_000_000, 400.0, Weights.TINY, "needs 496 MB and 400 MB are free"),
        (100_000_000, None, Weights.TINY, "could not be told"),
        (2_000_000_000, 64_000.0, Weights.TINY, "2.0 billion"),
        (None, 64_000.0, Weights.TINY, "could not be told"),
    ],
)
def test_random_where_it_fits(
    parameters: int | None, free_mb: float | None, kind: Weights, said: str
) -> None:
    choice = choose_weights(facts(Weights.AUTO, CONFIG, parameters=parameters, free_mb=free_mb))
    assert choice.kind is kind
    assert said in choice.reason


def test_figures_of_the_database_alone_make_no_random_model_unasked() -> None:
    known = {"config_known": True, "parameters": 1000, "free_mb": 1e6}
    assert choose_weights(facts(Weights.AUTO, **known)).kind is Weights.TINY
    assert choose_weights(facts(Weights.RANDOM, **known)).kind is Weights.RANDOM


def test_random_without_figures_can_not_be_had() -> None:
    with pytest.raises(ModelUnavailableError, match="random"):
        choose_weights(facts(Weights.RANDOM, config_known=False))


def test_tiny_needs_an_architecture() -> None:
    with pytest.raises(ModelUnavailableError, match="model_type"):
        choose_weights(facts(Weights.TINY, model_type=None))


def test_a_folder_with_torn_weights_is_an_error_not_a_tiny_model() -> None:
    with pytest.raises(ModelUnavailableError, match="torn"):
        choose_weights(facts(Weights.AUTO, TORN, from_path=True))
    assert choose_weights(facts(Weights.TINY, TORN, from_path=True)).kind is Weights.TINY


def test_a_torn_cache_is_fetched_again_or_left_out() -> None:
    assert choose_weights(facts(Weights.AUTO, TORN)).kind is Weights.TINY
    hub = HubAnswer(True, "the hub has it")
    assert choose_weights(facts(Weights.AUTO, TORN, hub=hub)).kind is Weights.PRETRAINED


def test_the_hub_is_only_asked_where_its_answer_matters() -> None:
    assert needs_hub(Weights.AUTO, NOTHING, from_path=False)
    assert not needs_hub(Weights.AUTO, WHOLE, from_path=False)
    assert not needs_hub(Weights.AUTO, CONFIG, from_path=True)
    assert not needs_hub(Weights.TINY, NOTHING, from_path=False)


def test_the_environment_overrides_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint("gpt2", weights="random")
    assert checkpoint.asked() is Weights.RANDOM
    monkeypatch.setenv("RPGEN_WEIGHTS", "tiny")
    assert checkpoint.asked() is Weights.TINY
    monkeypatch.setenv("RPGEN_WEIGHTS", "huge")
    with pytest.raises(UsageError, match="pretrained"):
        checkpoint.asked()
