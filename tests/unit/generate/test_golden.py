"""What the templates make, held against files that were read by a person.

The committed files in skills/ are others (test_skills.py); no form stands in both places.

`RPGEN_RECORD=1 pytest tests/unit/generate/test_golden.py` records them again; review the diff.
"""

import ast
import os
import re
from pathlib import Path

import pytest

from rpgen.errors import TemplateError
from rpgen.families import Classification, Family, Subfamily
from rpgen.generate.architecture import plan_architecture
from rpgen.generate.expectations import sees_cats
from rpgen.generate.plan import Known, Wishes, plan_test
from rpgen.generate.render import Renderer
from rpgen.generate.signature import Origin, origin
from rpgen.generate.write import model_of
from rpgen.model_database import Architecture, load
from rpgen.paths import templates_folder

GOLDEN = Path(__file__).parents[2] / "golden"
SKILLS = Path(__file__).parents[3] / "skills"
E, V, A, M = (
    Family.EMBEDDING,
    Family.VISION,
    Family.AUDIO,
    Family.MULTIMODAL,
)
S = Subfamily
CASES: dict[str, tuple[str, Family | None, Subfamily | None, str | None, str | None]] = {
    "sentence_transformer": (
        "sentence-transformers/all-MiniLM-L6-v2", E, S.SENTENCE_TRANSFORMER, "bert", "AutoModel",
    ),
    "token_classifier": (
        "dslim/bert-base-NER", E, S.TOKEN_CLASSIFIER, "bert", "AutoModelForTokenClassification",
    ),
    "object_detector": (
        "facebook/detr-resnet-50", V, S.OBJECT_DETECTOR, "detr", "AutoModelForObjectDetection",
    ),
    "speech_recognition_ctc": (
        "facebook/wav2vec2-base-960h", A, S.SPEECH_RECOGNITION, "wav2vec2", "AutoModelForCTC",
    ),
    "text_to_speech": (
        "facebook/mms-tts-eng", A, S.TEXT_TO_SPEECH, "vits", "AutoModelForTextToWaveform",
    ),
    "vision_language": (
        "llava-hf/llava-1.5-7b-hf", M, S.VISION_LANGUAGE, "llava", "AutoModelForImageTextToText",
    ),
    "general": ("owner/unheard-of", None, None, None, None),
}  # fmt: skip
RECIPE = {
    "auto_class": "AutoModel",
    "rung": 0,
    "inputs": {
        "input_ids": {"kind": "tokens", "shape": [2, 12], "high": 1000},
        "pixel_values": {"kind": "normal", "shape": [2, 3, 224, 224], "dtype": "float32"},
        "attention_mask": {"kind": "ones", "shape": [2, 12]},
    },
    "levels": ["forward", "joint", "training"],
    "missed": {"generation": "ValueError: no head to write with"},
    "left_out": {
        "rows": "outputs have no entry for each row: no output has an entry for each row",
        "fp16": "a choice between alternatives falls otherwise: topk chooses otherwise at 3 of 24"
        " places; with the same choices the result is the same",
    },
}


def render(model: str, answer: Classification, wishes: Wishes = Wishes()) -> str:  # noqa: B008
    architecture = load().architecture(answer.model_type)
    famous = load().model(model)
    known = Known(
        inputs=("text", "image"),
        never=architecture.unfit(answer.auto_class) if architecture else {},
        cats=sees_cats(answer.subfamily, None, famous.config if famous else {}),
    )
    return Renderer().render(plan_test(model, "test_hf_name.py", answer, wishes, known))


@pytest.mark.parametrize("case", CASES)
def test_templates_make_the_files_that_were_reviewed(case: str) -> None:
    model, family, subfamily, model_type, auto_class = CASES[case]
    answer = Classification(
        model, family, subfamily, 0.9, 0.9, "database", model_type=model_type, auto_class=auto_class
    )
    text = render(model, answer)
    golden = GOLDEN / f"{case}.py"
    if os.environ.get("RPGEN_RECORD"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8"), "the template changed: RPGEN_RECORD=1 records it"


def test_the_file_of_an_architecture_is_the_one_that_was_reviewed() -> None:
    known = Architecture("clip", M, S.IMAGE_TEXT_ENCODER, "AutoModel", "CLIPConfig", tiny=RECIPE)
    plan = plan_architecture(known, "test_hf_clip.py", Wishes(weights="tiny"))
    text = Renderer().render(plan)
    golden = GOLDEN / "architecture.py"
    if os.environ.get("RPGEN_RECORD"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8"), "the template changed: RPGEN_RECORD=1 records it"


def test_there_is_no_golden_file_without_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.py")} == {*CASES, "architecture"}


def test_every_shipped_template_has_a_case() -> None:
    shipped = {path.name for path in templates_folder().glob("hf_*.j2")}
    families = {str(family or "general") for _, family, *_ in CASES.values()}
    committed = {_family(path.read_text("utf-8")) for path in SKILLS.glob("*.py")}
    assert len(shipped) == len({*families, *committed, "architecture"})


def _family(source: str) -> str:
    found = re.search(r'^FAMILY = "(\w+)"', source, re.M)
    assert found is not None
    return found[1]


HOSTILE = (
    '"""\nimport os\nos.system("x")\n"""',
    "a\\",
    "quote'\"quote",
    "{{ plan }} {% for %}",
    "line\nbreak",
    "\u202e desrever",
    "🦙/ünïcode",
    "x" * 400,
)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("family", [*Family, None])
def test_no_name_becomes_code(name: str, family: Family | None) -> None:
    answer = Classification(name, family, None, 0.9, 0.0, "name", model_type=name)
    text = render(name, answer, Wishes(revision=name, device=name))
    calm = render("calm", Classification("calm", family, None, 0.9, 0.0, "name", model_type="calm"),
                  Wishes(revision="calm", device="calm"))  # fmt: skip
    assert _shape(text) == _shape(calm)
    assert model_of(text) == name
    assert origin(text) is Origin.GENERATED


def _shape(source: str) -> list[str]:
    """The kinds of all nodes in order: equal for two files that do the same."""
    return [type(node).__name__ for node in ast.walk(ast.parse(source))]


def test_a_users_template_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "hf_embedding_template.py.j2").write_text("MODEL = {{ plan.model | literal }}\n")
    answer = Classification("m", Family.EMBEDDING, None, 1, 1, "config")
    plan = plan_test("m", "test_hf_m.py", answer, Wishes())
    assert Renderer(tmp_path).render(plan).startswith('MODEL = "m"\n')


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ plan.nonsense }}", "nonsense"),
        ("{% if %}", "line 1"),
        ("def broken(:\n", "does not make Python"),
        ("print('fine, but about nothing')\n", "does not name m"),
        ("{{ plan | literal }}", "no literal for TestPlan"),
    ],
)
def test_a_broken_template_is_one_clear_error(tmp_path: Path, template: str, message: str) -> None:
    (tmp_path / "hf_embedding_template.py.j2").write_text(template)
    answer = Classification("m", Family.EMBEDDING, None, 1, 1, "config")
    with pytest.raises(TemplateError, match=message):
        Renderer(tmp_path).render(plan_test("m", "test_hf_m.py", answer, Wishes()))


def test_a_template_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="not a folder"):
        Renderer(tmp_path / "absent")
