import pytest

from rpgen.families import Classification, Family, Subfamily
from rpgen.generate.plan import Known, Wishes, class_name, command, plan_test
from rpgen.generate.render import Renderer

BERT = Classification(
    "bert-base-uncased",
    Family.EMBEDDING,
    Subfamily.MASKED_LM,
    0.95,
    0.95,
    "database",
    model_type="bert",
    auto_class="AutoModelForMaskedLM",
)


def test_the_plan_says_what_the_classification_says() -> None:
    plan = plan_test("bert-base-uncased", "test_hf_bert_base_uncased.py", BERT, Wishes())
    assert plan.class_name == "TestBertBaseUncased"
    assert plan.template == "hf_embedding_template.py"
    assert plan.title == "Tests of bert-base-uncased: masked language model, embedding family."
    assert plan.checkpoint == {
        "auto_class": "AutoModelForMaskedLM",
        "model_type": "bert",
        "weights": "auto",
    }
    assert plan.output.field == "logits"


@pytest.mark.parametrize(
    ("wishes", "template", "subfamily"),
    [
        (Wishes(use_model_family=False), "hf_general_template.py", None),
        (Wishes(family=Family.VISION), "hf_vision_template.py", None),
        (Wishes(family=Family.EMBEDDING), "hf_embedding_template.py", "masked_lm"),
        (
            Wishes(family=Family.VISION, use_model_family=False),
            "hf_vision_template.py",
            None,
        ),
    ],
)
def test_the_family_asked_for_wins(wishes: Wishes, template: str, subfamily: str | None) -> None:
    plan = plan_test("bert-base-uncased", "test_hf_bert_base_uncased.py", BERT, wishes)
    assert (plan.template, plan.subfamily) == (template, subfamily)


def test_a_sentence_transformer_is_loaded_without_a_head() -> None:
    answer = Classification(
        "m", Family.EMBEDDING, Subfamily.SENTENCE_TRANSFORMER, 1, 1, "modules",
        model_type="bert", auto_class="AutoModelForMaskedLM",
    )  # fmt: skip
    assert plan_test("m", "test_hf_m.py", answer, Wishes()).auto_class == "AutoModel"


def test_device_and_dtype_reach_the_preferences() -> None:
    wishes = Wishes(device="cuda:1", dtype="fp16")
    plan = plan_test("gpt2", "test_hf_gpt2.py", BERT, wishes)
    assert plan.preferences["device"] == "cuda:1"
    assert plan.preferences["precision"] == "fp16"
    assert plan.preferences["priority_list"][-1] == "cpu"


def test_the_order_of_devices_is_the_guides_as_far_as_torch_goes() -> None:
    embedding = plan_test("bert-base-uncased", "test_hf_b.py", BERT, Wishes())
    assert embedding.preferences["priority_list"] == ["cuda", "rocm", "mps", "xpu", "cpu"]
    llava = Classification(
        "llava", Family.MULTIMODAL, Subfamily.VISION_LANGUAGE, 1, 1, "config", model_type="llava"
    )
    order = plan_test("llava", "test_hf_llava.py", llava, Wishes()).preferences["priority_list"]
    assert order == ["cuda", "xpu", "cpu"], "the guide rules ROCm and MPS out for LLaVA"


def test_the_command_repeats_what_was_asked_for() -> None:
    wishes = Wishes(device="cuda", weights="tiny", cleanup_minutes=60.0, trust_remote_code=True)
    assert command("--model", "a b", wishes) == (
        "rpgen generate --model 'a b' --device cuda --weights tiny --timeout 60 --trust-remote-code"
    )


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("test_hf_openai_clip_vit_base_patch32.py", "TestOpenaiClipVitBasePatch32"),
        ("test_hf_01_ai_yi.py", "Test01AiYi"),
    ],
)
def test_class_names(file_name: str, name: str) -> None:
    assert class_name(file_name) == name


MISFIT = Known(misfit="setUpClass: KeyError: 'it'", draws=True)


def test_a_head_that_the_familys_file_does_not_fit_gets_the_general_one() -> None:
    plan = plan_test("own/bert", "test_hf_own_bert.py", BERT, Wishes(), MISFIT)
    assert plan.template == "hf_general_template.py"
    assert (plan.family, plan.auto_class) == ("embedding", "AutoModelForMaskedLM")
    assert plan.notes == ("Not the file of its family, where setUpClass: KeyError: 'it'",)
    assert "gradients" in plan.checks
    assert plan.draws
    text = Renderer().render(plan)
    assert "\n# Not the file of its family, where setUpClass: KeyError: 'it'\n" in text
    assert "example_inputs(self.model, seed=seed)" in text
    assert "torch.manual_seed(0)  # the model draws" in text


def test_the_familys_file_is_for_who_asks_for_it() -> None:
    wishes = Wishes(family=Family.EMBEDDING)
    plan = plan_test("own/bert", "test_hf_own_bert.py", BERT, wishes, MISFIT)
    assert (plan.template, plan.notes) == ("hf_embedding_template.py", ())


def test_a_check_that_the_head_does_not_stand_is_left_out_and_says_why() -> None:
    never = {"alone": "it takes no notice of a mask", "cache": "none", "fp16": "too wide"}
    plan = plan_test("own/bert", "test_hf_own_bert.py", BERT, Wishes(), Known(never=never))
    assert "alone" not in plan.checks
    assert plan.precisions == ("bf16",)
    assert plan.notes == (
        "Left out:", "- alone: it takes no notice of a mask", "- fp16: too wide"
    )  # fmt: skip
    text = Renderer().render(plan)
    assert "equals_itself" not in text
    assert "\n# - alone: it takes no notice of a mask\n" in text


def test_a_whole_that_cannot_be_called_is_tested_by_its_part_with_tiny_weights() -> None:
    known = Known(part=("BertPart", "BertWhole has no forward"))
    tiny = plan_test("own/bert", "test_hf_own_bert.py", BERT, Wishes(weights="tiny"), known)
    assert (tiny.template, tiny.auto_class) == ("hf_general_template.py", "BertPart")
    assert tiny.notes == ("A part of the model: BertWhole has no forward",)
    other = plan_test("own/bert", "test_hf_own_bert.py", BERT, Wishes(), known)
    assert (other.template, other.notes) == ("hf_embedding_template.py", ())
