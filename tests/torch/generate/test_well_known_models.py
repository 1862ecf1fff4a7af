"""Files of well-known models pass with tiny weights: each kind of head, and each that needs
something of its own (`python -m benchmarks.models` runs all of them)."""

from pathlib import Path

import pytest

from rpgen.architectures.family import head_of
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.model_database import load
from tests.generated_files import bad, run

FAULTS = {"microsoft/prophetnet-large-uncased", "tiiuae/falcon-rw-1b"}
"""Their files find faults of transformers 5.23 itself."""

SLOW = ("segmentation", "depth_estimation")
"""A minute each in half precision on a CPU."""

REASONS = ("only trained weights", "says nothing of weights that nobody trained")


def sample() -> list[str]:
    """The first model of each head with settings or checks of its own, and of each auto class."""
    database = load()
    generator = Generator(Renderer(), database, Settings(Path()))
    chosen: dict[object, str] = {}
    for model in database.raw_models:
        head = head_of(generator, model)
        known = database.architecture(head[0]) if head else None
        if head is None or known is None or model in FAULTS or known.subfamily in SLOW:
            continue
        facts = known.head(head[1])
        special = facts.left_out or facts.settings
        chosen.setdefault(head if special else (head[1], bool(facts.misfit)), model)
    return sorted(chosen.values())


@pytest.mark.filterwarnings("ignore:`max_length` is ignored")  # of a processor's own defaults
@pytest.mark.parametrize("model", sample())
def test_the_file_of_a_well_known_model_passes(model: str, tmp_path: Path) -> None:
    generator = Generator(Renderer(), load(), Settings(tmp_path, dry_run=True))
    plan, _ = generator.plan(model, Wishes(weights="tiny"))
    result = run(Renderer().render(plan), place=tmp_path / plan.file_name)
    assert not bad(result)
    assert result.testsRun > 6
    reasons = [reason for _, reason in result.skipped]
    assert all(any(each in reason for each in REASONS) for reason in reasons), reasons
