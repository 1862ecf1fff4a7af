"""The committed tests in skills/ are what the templates make today: `make skills` writes them."""

from pathlib import Path

import pytest

from rpgen.generate.generate import Generator, Settings
from rpgen.generate.names import collect_models
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.generate.write import Action
from rpgen.model_database import load

ROOT = Path(__file__).parents[3]
SKILLS = ROOT / "skills"
MODELS = collect_models([], str(ROOT / "well-known.txt"))


@pytest.fixture(autouse=True)
def _no_models_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What happens to be in this machine's cache doesn't shape the files."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("model", MODELS)
def test_a_committed_test_is_in_step_with_the_templates(model: str) -> None:
    generator = Generator(Renderer(), load(None), Settings(SKILLS, dry_run=True))
    outcome = generator.generate(model, Wishes())
    assert outcome.action is Action.UNCHANGED, f"{outcome.path}: run `make skills`"


def test_there_are_no_others() -> None:
    assert len(list(SKILLS.glob("*.py"))) == len(MODELS) == 6
