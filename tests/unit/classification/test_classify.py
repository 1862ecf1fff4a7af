"""Classification from facts: which source decides, what the others add, what odd facts do."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpgen.classification import ModelFacts, classify
from rpgen.families import FAMILY_OF, Classification, Family, Subfamily
from rpgen.model_database import ModelDatabase, load

ST_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


@pytest.fixture(scope="module")
def database() -> ModelDatabase:
    return load()


def said(name: str, database: ModelDatabase, **facts: Any) -> Classification:
    return classify(ModelFacts(name, **facts), database)


SIX = {
    "bert-base-uncased": (Subfamily.MASKED_LM, "bert", "AutoModelForMaskedLM"),
    "gpt2": (Subfamily.CAUSAL_LM, "gpt2", "AutoModelForCausalLM"),
    "t5-small": (Subfamily.SEQ2SEQ, "t5", "AutoModelForSeq2SeqLM"),
    "google/vit-base-patch16-224": (
        Subfamily.IMAGE_CLASSIFIER,
        "vit",
        "AutoModelForImageClassification",
    ),
    "openai/whisper-tiny": (Subfamily.SPEECH_RECOGNITION, "whisper", "AutoModelForSpeechSeq2Seq"),
    "openai/clip-vit-base-patch32": (
        Subfamily.IMAGE_TEXT_ENCODER,
        "clip",
        "AutoModelForZeroShotImageClassification",
    ),
}


@pytest.mark.parametrize("name", SIX)
def test_a_well_known_id_needs_no_file(name: str, database: ModelDatabase) -> None:
    answer = said(name, database)
    subfamily, model_type, auto_class = SIX[name]
    assert (answer.family, answer.subfamily) == (FAMILY_OF[subfamily], subfamily)
    assert (answer.model_type, answer.auto_class) == (model_type, auto_class)
    assert answer.source == "database"
    assert answer.confidence >= 0.95
    assert answer.template == f"hf_{answer.family}_template.py"


def test_the_configuration_comes_before_the_name(database: ModelDatabase) -> None:
    config = {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]}
    answer = said("my/bert-base-uncased", database, config=config)
    assert (answer.family, answer.source, answer.confidence) == (Family.AUDIO, "config", 1.0)
    assert {one.family for one in answer.findings} == {Family.AUDIO, Family.EMBEDDING}


def test_the_head_in_the_configuration_decides_the_use(database: ModelDatabase) -> None:
    def of(model_type: str, class_name: str) -> Classification:
        return said(
            "x/y", database, config={"model_type": model_type, "architectures": [class_name]}
        )

    ner = of("bert", "BertForTokenClassification")
    assert (ner.subfamily, ner.task) == (Subfamily.TOKEN_CLASSIFIER, "token-classification")
    assert ner.auto_class == "AutoModelForTokenClassification"
    assert of("bert", "BertLMHeadModel").family is Family.TEXT_GENERATION
    assert of("bart", "BartForSequenceClassification").family is Family.EMBEDDING
    assert of("t5", "T5EncoderModel").family is Family.EMBEDDING
    assert of("clip", "CLIPForImageClassification").subfamily is Subfamily.IMAGE_CLASSIFIER
    plain = of("bert", "BertModel")
    assert (plain.subfamily, plain.auto_class) == (None, "AutoModel")
    assert of("phi4_multimodal", "Phi4MultimodalForCausalLM").family is Family.MULTIMODAL


def test_a_type_without_a_class_is_what_it_is_known_for(database: ModelDatabase) -> None:
    answer = said("x/y", database, config={"model_type": "segformer"})
    assert (answer.subfamily, answer.confidence) == (Subfamily.SEGMENTATION, 0.95)
    tagged = said(
        "x/y", database, config={"model_type": "bert"}, pipeline_tag="token-classification"
    )
    assert tagged.subfamily is Subfamily.TOKEN_CLASSIFIER
    assert tagged.auto_class == "AutoModelForTokenClassification"


def test_a_class_alone_is_found(database: ModelDatabase) -> None:
    answer = said("x/y", database, config={"architectures": ["ViTForImageClassification"]})
    assert (answer.model_type, answer.family) == ("vit", Family.VISION)


def test_code_of_ones_own_is_known_by_its_head(database: ModelDatabase) -> None:
    config = {
        "model_type": "somethingnew",
        "architectures": ["SomethingNewForCausalLM"],
        "auto_map": {"AutoConfig": "c.C", "AutoModelForCausalLM": "m.M"},
    }
    answer = said("x/y", database, config=config)
    assert (answer.subfamily, answer.auto_class) == (Subfamily.CAUSAL_LM, "AutoModelForCausalLM")
    del config["architectures"]
    assert said("x/y", database, config=config).subfamily is Subfamily.CAUSAL_LM


def test_sentence_transformers_modules_turn_a_text_model(database: ModelDatabase) -> None:
    encoder = {"model_type": "bert", "architectures": ["BertModel"]}
    answer = said("x/y", database, config=encoder, modules=ST_MODULES)
    assert (answer.subfamily, answer.auto_class) == (Subfamily.SENTENCE_TRANSFORMER, "AutoModel")
    assert answer.model_type == "bert"
    decoder = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
    answer = said("x/y", database, config=decoder, modules=ST_MODULES)
    assert (answer.family, answer.source) == (Family.EMBEDDING, "modules")
    assert (answer.model_type, answer.auto_class) == ("qwen3", "AutoModel")
    half = {"model_type": "t5", "architectures": ["T5EncoderModel"]}
    answer = said("x/y", database, config=half, modules=ST_MODULES)
    assert (answer.model_type, answer.auto_class) == ("t5", "AutoModelForTextEncoding")


def test_modules_around_clip_leave_it_multimodal(database: ModelDatabase) -> None:
    modules = [{"type": "sentence_transformers.models.CLIPModel"}]
    answer = said("x/y", database, modules=modules)
    assert answer.subfamily is Subfamily.IMAGE_TEXT_ENCODER


def test_a_chat_model_is_told_by_any_source(database: ModelDatabase) -> None:
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    assert said("x/llama-3-base", database, config=config).subfamily is Subfamily.CAUSAL_LM
    answer = said("x/llama-3-8b-instruct", database, config=config)
    assert (answer.subfamily, answer.auto_class) == (Subfamily.CHAT_MODEL, "AutoModelForCausalLM")


def test_no_architecture_gets_a_use_that_it_has_no_head_for(database: ModelDatabase) -> None:
    answer = said("x/y", database, config={"model_type": "llama"}, pipeline_tag="summarization")
    assert (answer.subfamily, answer.auto_class) == (Subfamily.CAUSAL_LM, "AutoModelForCausalLM")
    assert answer.task == "summarization"
    assert said("x/gpt2-x-cnn", database).subfamily is Subfamily.CAUSAL_LM


def test_agreement_raises_confidence_and_contradiction_does_not(database: ModelDatabase) -> None:
    alone = said("x/zzz", database, pipeline_tag="fill-mask")
    agreed = said("x/bert-zzz", database, pipeline_tag="fill-mask")
    against = said("x/whisper-zzz", database, pipeline_tag="fill-mask")
    assert alone.confidence == against.confidence < agreed.confidence < 1
    assert against.family is Family.EMBEDDING


@pytest.mark.parametrize("model_type", ["patchtst", "autoformer", "decision_transformer"])
def test_outside_the_five_families_is_an_answer(model_type: str, database: ModelDatabase) -> None:
    answer = said("x/bert", database, config={"model_type": model_type})
    assert answer.family is None
    assert answer.source == "config"
    assert answer.confidence >= 0.95
    assert answer.template == "hf_general_template.py"


def test_an_unknown_name_has_no_family_and_says_why(database: ModelDatabase) -> None:
    answer = said("someone/qzx", database)
    assert (answer.family, answer.confidence, answer.source) == (None, 0.0, "none")
    assert "nothing known" in answer.findings[0].reason


def test_the_caller_is_a_source(database: ModelDatabase) -> None:
    class WhisperForConditionalGeneration: ...

    by_class = said("x/qzx", database, model_class=WhisperForConditionalGeneration)
    assert (by_class.model_type, by_class.source) == ("whisper", "caller")
    assert said("x/qzx", database, tasks=["image_classification"]).family is Family.VISION
    assert said("x/qzx", database, methods=["transcribe"]).family is Family.AUDIO
    assert said("bert-base-uncased", database, methods=["generate"]).family is Family.EMBEDDING


def test_the_origin_of_the_configuration_is_in_the_reason(database: ModelDatabase) -> None:
    answer = said("x/y", database, config={"model_type": "bert"}, config_source="/data/config.json")
    assert "/data/config.json" in answer.findings[0].reason


def test_a_known_id_under_another_organisation_or_in_a_folder(database: ModelDatabase) -> None:
    for name in ("google-bert/bert-base-uncased", "/models/bert-base-uncased", "Whisper-Tiny"):
        answer = said(name, database)
        assert answer.source == "database"
        assert answer.confidence > 0.8
    gguf = said("./SmolLM2-135M-Instruct.Q4_1.gguf", database)
    assert (gguf.model_type, gguf.subfamily) == ("llama", Subfamily.CHAT_MODEL)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=10,
)
KEYS = st.sampled_from(["model_type", "architectures", "auto_map", "vision_config", "text_config"])
VALUES = JSON | st.sampled_from(["bert", "BertModel", "AutoModelForCausalLM", ["BertModel", 3]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.text(max_size=60),
    config=JSON | st.dictionaries(KEYS, VALUES, max_size=5),
    modules=JSON | st.lists(st.dictionaries(st.just("type"), JSON, max_size=1), max_size=3),
    tag=JSON,
    tasks=JSON,
    methods=JSON,
    model_class=JSON,
)
def test_no_facts_break_it(
    name: str,
    config: Any,
    modules: Any,
    tag: Any,
    tasks: Any,
    methods: Any,
    model_class: Any,
    database: ModelDatabase,
) -> None:
    facts = {"pipeline_tag": tag, "tasks": tasks, "methods": methods, "model_class": model_class}
    answer = said(name, database, config=config, modules=modules, **facts)
    assert 0 <= answer.confidence <= 1
    assert 0 <= answer.subfamily_confidence <= 1
    assert answer.subfamily is None or FAMILY_OF[answer.subfamily] is answer.family
    assert answer.findings
    assert all(one.reason for one in answer.findings)
