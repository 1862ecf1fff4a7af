"""What a generated file will say, decided before any template sees it.

Pure: a classification and what was asked for go in, a `TestPlan` comes out. Everything a
template prints or branches on is a field here.
"""

import re
import shlex
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpgen.families import Classification, Family, Subfamily, template_name
from rpgen.generate.chosen import chosen_checks, half_precisions
from rpgen.generate.expectations import Expectations, expectations_of
from rpgen.generate.outputs import OUTPUTS, Output
from rpgen.hardware.types import TORCH_BACKENDS
from rpgen.placement.matrix import GUIDE

SUBFAMILY_WORDS: dict[Subfamily, str] = {
    Subfamily.MASKED_LM: "masked language model",
    Subfamily.SENTENCE_TRANSFORMER: "sentence embedding model",
    Subfamily.TOKEN_CLASSIFIER: "token classifier",
    Subfamily.CAUSAL_LM: "causal language model",
    Subfamily.SEQ2SEQ: "sequence-to-sequence model",
    Subfamily.CHAT_MODEL: "chat model",
    Subfamily.IMAGE_CLASSIFIER: "image classifier",
    Subfamily.OBJECT_DETECTOR: "object detector",
    Subfamily.SEGMENTATION: "image segmentation model",
    Subfamily.DEPTH_ESTIMATION: "depth estimator",
    Subfamily.SPEECH_RECOGNITION: "speech recognition model",
    Subfamily.AUDIO_CLASSIFIER: "audio classifier",
    Subfamily.TEXT_TO_SPEECH: "text-to-speech model",
    Subfamily.VISION_LANGUAGE: "vision-language model",
    Subfamily.IMAGE_TEXT_ENCODER: "image and text encoder",
    Subfamily.DOCUMENT_QA: "document question answering model",
}

_COMMENT = 86  # characters of a line of a comment


@dataclass(frozen=True)
class Wishes:
    """What the caller asked for, as far as it shapes the file."""

    device: str = "auto"
    dtype: str | None = None
    weights: str = "auto"
    family: Family | None = None
    use_model_family: bool = True
    revision: str | None = None
    trust_remote_code: bool = False
    cleanup_minutes: float = 0.5
    template_dir: str | None = None
    model_db: str | None = None


@dataclass(frozen=True)
class TestPlan:
    """One test file. Strings are data: the templates print them as literals only.

    `checks` and `precisions` are of `rpgen.generate.chosen`; a model that `draws` random numbers
    gives the same output for the same seed only. `levels` are in words how far a file of an
    architecture goes, `arguments` what its calls of the model hold, `notes` the lines that say
    what it leaves out or does not reach, and why.
    """

    __test__ = False  # pytest: not a test class

    file_name: str
    class_name: str
    title: str
    command: str
    model: str
    family: str
    subfamily: str | None
    template: str
    auto_class: str
    output: Output
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    preferences: Mapping[str, Any] = field(default_factory=dict)
    cleanup_minutes: float = 0.5
    pooling: str = "mean"
    inputs: tuple[str, ...] = ("text",)
    checks: frozenset[str] = frozenset()
    precisions: tuple[str, ...] = ()
    expects: Expectations = field(default_factory=Expectations)
    draws: bool = False
    levels: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What is known of the model beside its classification.

    `label` is how people call it, `pooling` how its sentence vectors are made, `inputs` the
    kinds of input it takes together (text, image, audio, video), `never` the checks that its
    architecture or its trained weights do not stand by their nature, each with the reason,
    `draws` whether it draws random numbers, `misfit` what the file of its family raised where it
    does not fit the head, `part` the class of a part that can be called alone where the whole has
    no `forward`, and what shows that, `cats` whether it tells cats from other things.
    """

    label: str | None = None
    pooling: str | None = None
    inputs: tuple[str, ...] = ()
    never: Mapping[str, str] = field(default_factory=dict)
    draws: bool = False
    misfit: str | None = None
    part: tuple[str, str] | None = None
    cats: bool = False


def plan_test(
    model: str,
    file_name: str,
    answer: Classification,
    wishes: Wishes,
    known: Known = Known(),
) -> TestPlan:
    """The plan for one model. `model` is what `Checkpoint` takes."""
    family = wishes.family or (answer.family if wishes.use_model_family else None)
    subfamily = answer.subfamily if family is not None and family == answer.family else None
    part = known.part if wishes.weights == "tiny" else None
    auto_class = part[0] if part else head_of(answer, subfamily)
    misfit = known.misfit if wishes.family is None and family else None
    whole = chosen_checks(
        subfamily,
        answer.model_type,
        auto_class,
        known=family is not None,
        gguf=model.endswith(".gguf"),
    )
    precisions = half_precisions(subfamily, family is not None)
    return TestPlan(
        file_name=file_name,
        class_name=class_name(file_name),
        title=f"Tests of {known.label or model}{_description(family, subfamily)}.",
        command=command("--model", model, wishes),
        model=model,
        family=str(family or "general"),
        subfamily=str(subfamily) if subfamily else None,
        template=template_name(None if misfit or part else family),
        auto_class=auto_class,
        output=OUTPUTS.get(auto_class, Output()),
        checkpoint=_checkpoint(auto_class, answer.model_type, wishes),
        preferences=preferences_of(family, answer.model_type, wishes),
        cleanup_minutes=wishes.cleanup_minutes,
        pooling=known.pooling or "mean",
        inputs=known.inputs or ("text",),
        checks=whole.difference(known.never),
        precisions=tuple(each for each in precisions if each not in known.never),
        expects=expectations_of(known.label or model, subfamily, known.cats),
        draws=known.draws or subfamily == Subfamily.TEXT_TO_SPEECH,
        notes=tuple(_notes({*whole, *precisions}, known.never, misfit, part)),
    )


def head_of(answer: Classification, subfamily: Subfamily | None) -> str:
    """The auto class that a file gets its model by: sentence vectors come of the bare model."""
    if subfamily is Subfamily.SENTENCE_TRANSFORMER:
        return "AutoModel"
    return answer.auto_class or "AutoModel"


def _notes(
    whole: Collection[str],
    never: Mapping[str, str],
    misfit: str | None,
    part: tuple[str, str] | None,
) -> Iterator[str]:
    """What the file is not and what it leaves out, each with its reason, in lines."""
    if part:
        yield from in_lines(f"A part of the model: {part[1]}")
    elif misfit:
        yield from in_lines(f"Not the file of its family, where {misfit}")
    left_out = [name for name in never if name in whole]
    if left_out:
        yield "Left out:"
    for name in left_out:
        yield from in_lines(f"- {name}: {never[name]}")


def in_lines(text: str) -> list[str]:
    """A note as the lines of a comment, the second further in."""
    return textwrap.wrap(text, _COMMENT, subsequent_indent="  ", break_long_words=False)


def class_name(file_name: str) -> str:
    """`test_hf_bert_base_uncased.py` becomes `TestBertBaseUncased`."""
    stem = file_name.removesuffix(".py").removeprefix("test_hf_")
    return "Test" + "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9a-z]+", stem))


def command(option: str, name: str, wishes: Wishes) -> str:
    """The command line that makes the same file again. `option` is what a `name` stands after."""
    standard = Wishes()
    words = ["rpgen", "generate", option, name]
    for wish, value, usual in (
        ("--device", wishes.device, standard.device),
        ("--dtype", wishes.dtype, standard.dtype),
        ("--weights", wishes.weights, standard.weights),
        ("--family", wishes.family, standard.family),
        ("--revision", wishes.revision, standard.revision),
        ("--timeout", wishes.cleanup_minutes, standard.cleanup_minutes),
        ("--template-dir", wishes.template_dir, standard.template_dir),
        ("--model-db", wishes.model_db, standard.model_db),
    ):
        if value != usual:
            words += [wish, f"{value:g}" if isinstance(value, float) else str(value)]
    if not wishes.use_model_family:
        words.append("--no-use-model-family")
    if wishes.trust_remote_code:
        words.append("--trust-remote-code")
    return shlex.join(words)


def _description(family: Family | None, subfamily: Subfamily | None) -> str:
    if family is None:
        return ""
    name = str(family).replace("_", " ")
    return f": {SUBFAMILY_WORDS[subfamily]}, {name} family" if subfamily else f": {name} family"


def _checkpoint(auto_class: str, model_type: str | None, wishes: Wishes) -> dict[str, Any]:
    """The arguments of `Checkpoint` after its name; what equals the default stays out."""
    arguments: dict[str, Any] = {"auto_class": auto_class}
    if model_type:
        arguments["model_type"] = model_type
    if wishes.revision:
        arguments["revision"] = wishes.revision
    if wishes.trust_remote_code:
        arguments["trust_remote_code"] = True
    arguments["weights"] = wishes.weights
    return arguments


def preferences_of(family: Family | None, model_type: str | None, wishes: Wishes) -> dict[str, Any]:
    """What the file asks of the pool: the guide's order for this family, as far as torch goes."""
    order = GUIDE.priority(family, model_type)
    return {
        "device": wishes.device,
        "priority_list": [str(backend) for backend in order if backend in TORCH_BACKENDS],
        "precision": wishes.dtype,
    }
