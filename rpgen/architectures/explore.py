"""Finding out, once, how a tiny model of an architecture is made and what it is run with.

Head by head and rung by rung until a run succeeds with every kind of input that the type takes
together. What was found is stored, so that a test needs no search.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rpgen.architectures.heads import (
    fullest_heads_first,
    kinds_wanted,
    lacks,
    part_lacking,
    part_told,
    whole_told,
)
from rpgen.errors import RpgenError
from rpgen.models import tiny
from rpgen.models.completion import completed
from rpgen.models.examples.search import Found, search
from rpgen.models.examples.spec import to_plain
from rpgen.models.load import built_model
from rpgen.models.recipe import Recipe

SECONDS = 60.0
"""Of processor time, as all limits here: a busy machine finds what a quiet one finds."""

_LARGEST = 60_000_000
_SEARCH = 10.0
_FORWARD_COMPLETIONS = 6
_SAME_ERROR = 2
_OTHER_WAYS = (15, 17, 7, 12, 16, 13, 18, 10, 19)  # rungs that differ in more than their widths
_TOO_LARGE = "too large"
_ABSENT = "ImportError"


@dataclass
class Explored:
    """The best recipe that was found, else why there is none; `attempts` tells all of it."""

    model_type: str
    recipe: Recipe | None = None
    model_class: str | None = None
    parameters: int | None = None
    problem: str | None = None
    attempts: list[str] = field(default_factory=list)


@dataclass
class _Exploration:
    model_type: str
    wanted: tuple[str, ...]
    deadline: float
    result: Explored
    best: Recipe | None = None
    missing: str = ""
    done: bool = False
    too_large: list[int] = field(default_factory=list)

    def head(self, auto_class: str) -> bool:
        """Whether the head got as far as the type can: with small models, else with any."""
        try:
            full = tiny.full_config(self.model_type, {})
        except (RpgenError, ImportError, OSError, ValueError, AttributeError, TypeError) as error:
            self._note(f"{self.model_type}: {_line(error)}")
            return False
        figures = tiny.figures_of(full)
        rungs = tiny.rungs(figures)
        try:
            if self._climb(full, figures, rungs, auto_class, tiny.LARGEST_TINY):
                return True
            return self._climb(full, figures, list(self.too_large), auto_class, _LARGEST)
        except ImportError as absent:
            self._note(f"{auto_class}: {_line(absent)}")
            return False

    def _climb(
        self, full: Any, figures: Mapping[str, Any], rungs: Sequence[int], auto_class: str,
        largest: int,
    ) -> bool:  # fmt: skip
        errors: dict[str, int] = {}
        settings: dict[str, Any] = {}
        left, self.too_large = list(rungs), []
        while left and time.process_time() < self.deadline:
            rung = left.pop(0)
            done, error, settings = self._rung(full, figures, rung, auto_class, settings, largest)
            if done:
                return True
            if error == _TOO_LARGE:
                self.too_large.append(rung)
                continue
            key = re.sub(r"\d+", "N", error)
            errors[key] = errors.get(key, 0) + 1
            if errors[key] == _SAME_ERROR:
                left = [each for each in _OTHER_WAYS if each in left]
            self._note(f"{auto_class}, rung {rung}: {error}")
        return False

    def _rung(
        self, full: Any, figures: Mapping[str, Any], rung: int, auto_class: str,
        settings: dict[str, Any], largest: int,
    ) -> tuple[bool, str, dict[str, Any]]:  # fmt: skip
        given, rejected, told, said = dict(settings), dict[str, Any](), list[str](), ""
        latest: dict[str, Any] = {}
        for _ in range(_FORWARD_COMPLETIONS):
            try:
                step = tiny.completed_step(full, figures, rung, auto_class, {**given, **latest})
                if step.parameters > largest:
                    return False, _TOO_LARGE, settings
                model = built_model(step.config, auto_class)
            except ImportError:
                raise
            except Exception as failure:  # noqa: BLE001 (told as the reason of this rung)
                if not latest:
                    return False, f"does not build: {_line(failure)}", settings
                rejected, latest = {**rejected, **latest}, {}
                continue
            found, one = search(model, min(_SEARCH, max(1.0, self.deadline - time.process_time())))
            if found is not None:
                if self._keep(found, step, auto_class, model):
                    return True, _first(one.errors), step.settings
                said = said or missing_of(found, self.wanted)
            error, said = [_trail(each) for each in one.raised], said or _first(one.errors)
            if latest and error == told:
                rejected, latest = {**rejected, **latest}, {}
            given, told = {**given, **latest}, error
            known = {**step.settings, **rejected}
            latest = _more(step.config, one.raised, known)
            if not latest or time.process_time() > self.deadline:
                break
        return False, f"no inputs: {said}", settings

    def _keep(self, found: Found, step: tiny.Step, auto_class: str, model: Any) -> bool:
        """Whether the call holds all that the type takes; the fullest call is the best."""
        fuller = self.best is None or len(found.kinds) > len(self.best.kinds)
        missing = missing_of(found, self.wanted)
        if fuller:
            inputs = {name: to_plain(spec) for name, spec in found.specs.items()}
            joint = bool(self.wanted) and not missing
            levels = ("forward", "joint") if joint else ("forward",)
            self.best = Recipe(
                auto_class, step.rung, step.settings, inputs, levels, kinds=found.kinds,
                limits=found.limits,
            )  # fmt: skip
            self.missing = missing
            self.result.model_class = type(model).__name__
            self.result.parameters = step.parameters
        self.done = not missing
        return self.done

    def may_be_fuller(self, auto_class: str) -> bool:
        """Whether a head has arguments for more than the best call so far holds."""
        held = self.best.kinds if self.best else ()
        absent = lacks(self.model_type, auto_class, self.wanted)
        return absent < len(set(self.wanted) - set(held))

    def _note(self, text: str) -> None:
        self.result.attempts.append(text)


def missing_of(found: Found, wanted: Sequence[str]) -> str:
    """What the call could hold of that and does not, each kind with why: "video: <error>"."""
    absent = [kind for kind in wanted if kind not in {*found.kinds, *found.limits}]
    reasons = {kind: found.missing.get(kind, "this head has no argument for it") for kind in absent}
    return "; ".join(f"{kind}: {reason}" for kind, reason in reasons.items())


def explore(
    model_type: str, heads: Sequence[str], inputs: Sequence[str], seconds: float = SECONDS
) -> Explored:
    """What is to be known of a type. `heads` in order of preference, `inputs` its kinds."""
    result = Explored(model_type)
    wanted = kinds_wanted(inputs)
    one = _Exploration(model_type, wanted, time.process_time() + seconds, result)
    for auto_class in fullest_heads_first(model_type, heads, wanted):
        if one.best is not None and not one.may_be_fuller(auto_class):
            continue
        part = part_told(model_type, auto_class)
        if part and (one.best is not None or any(_ABSENT in said for said in result.attempts)):
            continue  # the whole runs, or would with a package
        if one.head(auto_class):
            break
    result.recipe = one.best and _with_whole(model_type, one.best)
    result.problem = _problem(one)
    return result


def _with_whole(model_type: str, recipe: Recipe) -> Recipe:
    """The recipe of a part says so where there is no whole to be called."""
    part = part_told(model_type, recipe.auto_class)
    whole = whole_told(model_type) if part else ""
    told = {"whole": f"{whole}; {part}"} if whole else {}
    return replace(recipe, limits={**recipe.limits, **told})


def _problem(one: _Exploration) -> str | None:
    if one.best is None:
        return _reason(one.result.attempts)
    if not one.done:
        return f"not together: {one.missing or _reason(one.result.attempts)}"
    return part_lacking(one.model_type, one.best.auto_class) or None


def _more(config: Any, raised: Sequence[BaseException], known: Mapping[str, Any]) -> dict[str, Any]:
    """What the first of the errors that tells anything says is missing in the configuration;
    those that name a configuration first."""
    order = sorted(raised, key=lambda error: "Config" not in str(error))
    return next((more for error in order if (more := completed(config, error, known))), {})


def _trail(error: BaseException) -> str:
    """What it says, and the lines that led to it: two parts of a model may say the same."""
    trace, lines = error.__traceback__, []
    while trace is not None:
        lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f"{lines} {error}"


def _reason(attempts: Sequence[str]) -> str:
    return attempts[0] if attempts else "nothing could be tried"


def _first(errors: Sequence[str]) -> str:
    return errors[0] if errors else ""


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:240]}"
