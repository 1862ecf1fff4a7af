"""Before the load, for one curated model of each architecture, made tiny; and after the load and
on the disk, for an even sample of them."""

from pathlib import Path

import pytest

from rpgen import model_database
from rpgen.errors import ModelUnavailableError
from rpgen.models import Checkpoint
from rpgen.models.estimate import from_files
from rpgen.models.quiet import quiet_transformers
from rpgen.pool.sizing import measure

ALLOWED = 0.02
FEWEST = 195
"""So many of the curated architectures must build here, or the test says nothing."""

SAMPLE = 20
FIRST = {model.model_type: model for model in reversed(tuple(model_database.load().models()))}
counted: list[str] = []


def family(model_type: str) -> str:
    return str(FIRST[model_type].family)


def sample() -> list[str]:
    """Evenly over the families, so that a large one has more and none is missing."""
    order = sorted(FIRST, key=lambda name: (family(name), name))
    even = [order[place * len(order) // SAMPLE] for place in range(SAMPLE)]
    firsts = {family(name): name for name in reversed(order)}
    return sorted({*even, *(firsts[each] for each in firsts.keys() - set(map(family, even)))})


def checkpoint_of(model_type: str) -> Checkpoint:
    known = FIRST[model_type]
    return Checkpoint(known.model_id, str(known.auto_class), model_type, weights="tiny")


@pytest.mark.parametrize("model_type", sorted(FIRST))
def test_what_a_load_needs_is_counted_without_one(model_type: str) -> None:
    try:
        estimate = checkpoint_of(model_type).estimate()
    except ModelUnavailableError as error:
        pytest.skip(f"no tiny {model_type} can be built here: {error}")
    counted.append(model_type)
    predicted = estimate.bytes_by_dtype("fp32")
    assert estimate.parameters
    assert predicted is not None
    assert estimate.values is not None
    assert predicted == 4 * estimate.values + estimate.fixed_bytes >= 4 * estimate.parameters


@pytest.mark.parametrize("model_type", sample())
def test_predicted_bytes_are_measured_bytes(model_type: str, tmp_path: Path) -> None:
    checkpoint = checkpoint_of(model_type)
    model = checkpoint.load_model()
    _assert_close(checkpoint, measure(model).total)
    with quiet_transformers():
        model.save_pretrained(tmp_path)
    saved = Checkpoint(str(tmp_path), checkpoint.auto_class)
    assert from_files(saved._files()) is not None
    assert saved.estimate().source == "safetensors headers and the configuration"
    _assert_close(saved, measure(saved.load_model()).total)


def _assert_close(checkpoint: Checkpoint, measured: int) -> None:
    predicted = checkpoint.estimate().bytes_by_dtype("fp32")
    assert predicted is not None
    assert abs(predicted - measured) <= ALLOWED * measured


def test_nearly_all_could_be_counted_and_the_sample_has_every_family() -> None:
    assert set(map(family, sample())) == set(map(family, FIRST))
    if len(counted) < len(FIRST) // 2:
        pytest.skip("only some of the architectures were tried in this session")
    assert len(counted) >= FEWEST
