"""What the files of a family show of some heads, a line of JSON each.

`python -m rpgen.architectures.family 'TYPE AUTO_CLASS'...`

Runs the file of each well-known model with that head, with tiny weights. Where it raises what is
no failed check, the head gets the general file; where a check fails on a ground that is
recognised (see `rules`), it is left out; where an untrained model says too little, its weights
may begin otherwise. What is left is a problem, and nothing is done about it.

A process of its own, because a model may take it down; who started it goes on with the rest.
"""

import importlib.util
import json
import os
import re
import sys
import tempfile
import time
import unittest
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rpgen import paths
from rpgen.architectures.record import write_types
from rpgen.architectures.remedies import weights_for
from rpgen.architectures.rules import explained
from rpgen.architectures.trial import said_by
from rpgen.generate.generate import Generator, Settings
from rpgen.generate.plan import Wishes
from rpgen.generate.render import Renderer
from rpgen.grounds import is_of_code
from rpgen.model_database import ModelDatabase, load
from rpgen.pool.shared import get_global_resource_pool

Facts = Mapping[str, Any]
"""The plain form of `rpgen.model_database.HeadFacts`, and a `problem` where one is left."""

_CHECKS = (
    ("future_does_not_leak", "look_ahead"),
    ("cache_changes_nothing", "cache"),
    ("every_layer", "layers"),
    ("attention_implementations", "attention"),
    ("gradients_reach", "gradients"),
    ("saving_and_loading", "saving"),
    ("part_of_the_image_matters", "channels"),
    ("generation_is_greedy", "ends"),
    ("generation_does_not_depend", "continued alone"),
    ("padding_changes_nothing", "continued alone"),
    ("alone_equals_itself", "alone"),
    ("embedding_does_not_depend", "alone"),
)
"""What the names of tests hold, and the check that they are (see `rpgen.generate.chosen`)."""

_CACHED = "generation with the cache"
_HALF = re.compile(r"^in (bf16|fp16):")
_WEAK = {"matter": "matters:", "tell": "matters:", "half_precision": "fp16:"}
"""What is in the names of tests that a faded signal fails, and what `remedies` call it."""

_LONGEST = 200  # characters of a reason


@dataclass(frozen=True)
class Failure:
    """A test that failed; `setUpClass` where none could begin."""

    test: str
    error: BaseException

    @property
    def is_of_a_check(self) -> bool:
        return isinstance(self.error, AssertionError)

    @property
    def check(self) -> str | None:
        """Which check a file can leave out it is; None where it can't be left out."""
        said = str(self.error)
        if half := _HALF.match(said):
            return half[1]
        if said.startswith(_CACHED):
            return "cached generation"
        return next((check for part, check in _CHECKS if part in self.test), None)

    def __str__(self) -> str:
        return f"{self.test}: {said_by(self.error)}"[:_LONGEST]


class _Recorder(unittest.TestResult):
    """Keeps the errors themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Failure] = []

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802 (unittest names it)
        name = test.id().rpartition(".")[2]
        self.found.append(Failure("setUpClass" if "setUpClass" in test.id() else name, err[1]))

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self.addError(test, err)


class File:
    """A generated file, imported and run where it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def failures(self) -> list[Failure]:
        recorder = _Recorder()
        case = self._case()
        with _alone(self._path.stem):
            unittest.defaultTestLoader.loadTestsFromTestCase(case).run(recorder)
        del sys.modules[self._path.stem]
        return recorder.found

    def subject(self, test: str) -> "Tested":
        case = self._case()
        with _alone(self._path.stem):
            case.setUpClass()
        return Tested(self, case(test), sys.modules[case.__module__])

    def _case(self) -> type[unittest.TestCase]:
        spec = importlib.util.spec_from_file_location(self._path.stem, self._path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self._path.stem] = module
        spec.loader.exec_module(module)
        cases = (each for each in vars(module).values() if isinstance(each, type))
        return next(each for each in cases if issubclass(each, unittest.TestCase))


class Tested:
    """A test of a file with its model, as the rules look at it: see `trial.Subject`."""

    def __init__(self, file: File, case: Any, module: ModuleType) -> None:
        self._file, self._case, self._module = file, case, module
        self.model = case.model
        self.inputs: dict[str, Any] = dict(case.example())

    def again(self) -> None:
        """The test itself. Raises what it raises."""
        getattr(self._case, self._case._testMethodName)()

    def forward_freely(self, inputs: Mapping[str, Any]) -> Any:
        """Without a seed, so that drawing shows."""
        import torch

        with torch.inference_mode():
            return self.model(**inputs)

    def load_model(self, device: str = "cpu", dtype: str | None = None) -> Any:
        return self._module.CHECKPOINT.load_model(device=device, dtype=dtype)

    def fresh(self) -> "Tested":
        return self._file.subject(self._case._testMethodName)


class Head:
    """The well-known models with one head of one type, else one of which nothing else is known,
    and their files in a folder."""

    def __init__(self, model_type: str, auto_class: str, folder: Path) -> None:
        self.model_type, self.auto_class = model_type, auto_class
        self._folder = folder
        self._database = load()
        generator = self._generator(self._database)
        self.models = [
            name
            for name in self._database.raw_models
            if head_of(generator, name) == (model_type, auto_class)
        ] or [self._unknown()]

    def find(self) -> Facts:
        """What there is to know of it."""
        facts, left, file = self._settled({})
        if left is None:
            return facts
        weak = next((told for part, told in _WEAK.items() if part in left.test), None)
        if weak is None or file is None:
            return {**facts, "problem": str(left)}
        config = file.subject(left.test).model.config
        for settings in weights_for(config, weak):
            mended, still, _ = self._settled({**facts, "settings": settings})
            if still is None:
                return mended
        return {**facts, "problem": str(left)}

    def _unknown(self) -> str:
        """A model of the type with the head, of no other figures."""
        classes = self._database.raw_architectures[self.model_type].get("classes", {})
        figures: dict[str, Any] = {"model_type": self.model_type}
        if self.auto_class in classes:
            figures["architectures"] = [classes[self.auto_class]]
        return written(self._folder / f"a-{self.model_type}", figures)

    def _settled(self, facts: Facts) -> tuple[Facts, Failure | None, File | None]:
        """With what the failures of the files teach, one by one; the first that teaches nothing,
        and where it is."""
        for model in self.models:
            while True:
                file = self._written(model, facts)
                failures = file.failures()
                if not failures:
                    break
                learned = self._learned(file, failures, facts)
                if learned == facts:
                    return facts, failures[0], file
                facts = learned
        return facts, None, None

    def _learned(self, file: File, failures: Sequence[Failure], facts: Facts) -> Facts:
        left_out = dict(facts.get("left_out", {}))
        for failure in failures:
            check = failure.check
            why = _reason(file, failure, check) if check and check not in left_out else None
            if check and why:
                left_out[check] = why
            elif not failure.is_of_a_check:
                return {"misfit": str(failure), **facts}
        return {**facts, "left_out": left_out} if left_out else facts

    def _written(self, model: str, facts: Facts) -> File:
        """The file of a model where that is what is known of its head."""
        os.environ[paths.MODEL_DATABASE] = str(self._known(facts))
        outcome = self._generator(load()).generate(model, Wishes(weights="tiny"))
        assert outcome.path is not None
        return File(outcome.path)

    def _known(self, facts: Facts) -> Path:
        path = self._folder / f"known{time.monotonic_ns()}.json"
        types = {name: dict(raw) for name, raw in self._database.raw_architectures.items()}
        types[self.model_type]["heads"] = {
            **types[self.model_type].get("heads", {}), self.auto_class: dict(facts)
        }  # fmt: skip
        write_types(path, self._database, types)
        return path

    def _generator(self, database: ModelDatabase) -> Generator:
        return Generator(Renderer(), database, Settings(self._folder, force=True))


def _reason(file: File, failure: Failure, check: str) -> str | None:
    """The ground on which a check can be left out; None where there is none."""
    said = said_by(failure.error)
    why = explained(check, said, failure.error, file.subject(failure.test))
    return str(why)[:_LONGEST] if why is not None and is_of_code(check, why.ground) else None


def written(folder: Path, figures: Mapping[str, Any]) -> str:
    """The path of a folder with a configuration, as of a model."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(figures), "utf-8")
    return str(folder)


def head_of(generator: Generator, model: str) -> tuple[str, str] | None:
    """The type and the auto class that a model's file names."""
    plan, answer = generator.plan(model, Wishes(weights="tiny"))
    return (answer.model_type, plan.auto_class) if answer.model_type else None


def find(model_type: str, auto_class: str) -> Facts:
    """What is to be known of a head of a type."""
    before = os.environ.get(paths.MODEL_DATABASE, "")
    try:
        with tempfile.TemporaryDirectory() as folder, _aside():
            return Head(model_type, auto_class, Path(folder)).find()
    finally:
        os.environ[paths.MODEL_DATABASE] = before


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """What is taken from the pool is new, and nothing of it stays there."""
    pool = get_global_resource_pool()
    with _aside(), pool.owner(name):
        yield
        pool.clear()


def _aside() -> Any:
    """What models and tests print is not for the one who reads the lines."""
    return redirect_stdout(sys.stderr)


def main(arguments: Sequence[str]) -> int:
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    lines = sys.stdout
    for name in arguments:
        started = time.monotonic()
        print(json.dumps({"begun": name}), file=lines, flush=True)
        found = find(*name.split())
        row = {"type": name, "found": found, "seconds": round(time.monotonic() - started, 2)}
        print(json.dumps(row), file=lines, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
