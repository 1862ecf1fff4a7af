"""Somebody's own implementation against a reference: one call, every difference.

The comparisons are those of the generated tests, with the same tolerances; here they are
collected instead of raised, so that one run tells all that is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rpgen.checks.compare import assert_close, assert_same
from rpgen.checks.repeating import assert_untouched
from rpgen.checks.tensors import copied, named_tensors

Implementation = Callable[..., Any]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as in the reference: on which input, in which tensor, and how."""

    input: int
    tensor: str
    message: str

    def __str__(self) -> str:
        return f"input {self.input}: {self.message}"


@dataclass(frozen=True)
class Validation:
    """What a comparison found. True where there is no difference."""

    inputs: int
    tensors: int
    differences: tuple[Difference, ...]

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        compared = f"{self.tensors} tensors on {self.inputs} inputs compared"
        if self:
            return f"{compared}: no difference"
        lines = [f"{compared}: {len(self.differences)} differences"]
        return "\n".join([*lines, *(f"- {each}" for each in self.differences)])

    def require(self) -> None:
        """Raise AssertionError with every difference, if there is one."""
        if not self:
            raise AssertionError(str(self))


def validate(
    candidate: Implementation,
    reference: Implementation,
    inputs: Sequence[Any],
    *,
    model: torch.nn.Module | None = None,
    dtype: torch.dtype | None = None,
) -> Validation:
    """Run both on each input and compare all tensors of what they return.

    An input is a mapping (passed by name), a tuple (by position), or one value. The tolerance
    is that of `assert_close`: `model` gives the depth, by default 1 layer (or the candidate's
    or the reference's own, where it is a module with a configuration); `dtype` is the one that
    the candidate computes in. Also looked at: does the candidate return the same twice, does
    it change its input, does it raise?
    """
    if not inputs:
        raise ValueError("there is no input to compare the two on")
    deep = model or next((each for each in (reference, candidate) if _is_configured(each)), None)
    found: list[Difference] = []
    tensors = 0
    for number, given in enumerate(inputs):
        with torch.no_grad():
            expected = copied(_call(reference, copied(given)))
            tensors += len(list(named_tensors(expected)))
            found += _of_one_input(candidate, expected, given, number, deep, dtype)
    return Validation(len(inputs), tensors, tuple(found))


def _of_one_input(
    candidate: Implementation,
    expected: Any,
    given: Any,
    number: int,
    model: Any,
    dtype: torch.dtype | None,
) -> list[Difference]:
    mine = copied(given)
    try:
        actual = copied(_call(candidate, mine))
        again = _call(candidate, copied(given))
    except Exception as error:  # noqa: BLE001 (whatever somebody's code raises is a finding)
        return [Difference(number, "", f"{type(error).__name__}: {error}")]
    found = [
        *_said(number, "inputs", lambda: assert_untouched(_as_mapping(mine), _as_mapping(given))),
        *_said(number, "", lambda: assert_same(again, actual, "run twice", model, dtype=dtype)),
    ]
    have, want = dict(named_tensors(actual)), dict(named_tensors(expected))
    for name in want.keys() - have.keys():
        found.append(Difference(number, name, f"{name} is missing"))
    for name in have.keys() - want.keys():
        found.append(Difference(number, name, f"{name} is not in the reference"))
    for name in (name for name in want if name in have):
        found += _said(number, name, _comparison(have[name], want[name], name, model, dtype))
    return found


def _comparison(
    actual: torch.Tensor,
    expected: torch.Tensor,
    name: str,
    model: Any,
    dtype: torch.dtype | None,
) -> Callable[[], None]:
    def compare() -> None:
        if actual.is_floating_point() != expected.is_floating_point():
            raise AssertionError(f"{name} is in {actual.dtype}, the reference in {expected.dtype}")
        assert_close(actual, expected, name, model, dtype=dtype)

    return compare


def _said(number: int, tensor: str, check: Callable[[], None]) -> list[Difference]:
    try:
        check()
    except AssertionError as error:
        return [Difference(number, tensor, str(error))]
    return []


def _call(implementation: Implementation, given: Any) -> Any:
    if isinstance(given, Mapping):
        return implementation(**given)
    if isinstance(given, (tuple, list)):
        return implementation(*given)
    return implementation(given)


def _as_mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {"input": given}


def _is_configured(implementation: Any) -> bool:
    return isinstance(implementation, torch.nn.Module) and hasattr(implementation, "config")
