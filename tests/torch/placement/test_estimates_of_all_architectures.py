"""Before and after the load, for one curated model of each architecture, made tiny."""

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

FIRST = {model.model_type: model for model in reversed(tuple(model_database.load().models()))}
built: list[str] = []


@pytest.mark.parametrize("model_type", sorted(FIRST))
def test_predicted_bytes_are_measured_bytes(model_type: str, tmp_path: Path) -> None:
    known = FIRST[model_type]
    checkpoint = Checkpoint(known.model_id, str(known.auto_class), model_type, weights="tiny")
    try:
        model = checkpoint.load_model()
    except ModelUnavailableError as error:
        pytest.skip(f"no tiny {model_type} can be built here: {error}")
    built.append(model_type)
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


def test_nearly_all_could_be_built() -> None:
    if len(built) < len(FIRST) // 2:
        pytest.skip("only some of the architectures were tried in this session")
    assert len(built) >= FEWEST
