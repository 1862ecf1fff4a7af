"""How options reach the worker."""

import json

import pytest

from rpgen.errors import UsageError
from rpgen.run.request import PREFERENCES, RunRequest


def preferences(given: dict[str, str], **options: str) -> object:
    text = RunRequest(("x",), **options).environment(given).get(PREFERENCES)  # type: ignore[arg-type]
    return None if text is None else json.loads(text)


def test_the_device_is_put_into_the_preferences_that_are_there() -> None:
    assert preferences({}, device="cpu") == {"device": "cpu"}
    as_json = '{"device": "cuda", "precision": null}'
    assert preferences({PREFERENCES: as_json}, device="cpu") == {"device": "cpu", "precision": None}
    as_python = "{'priority_list': ['cpu'], 'precision': None}"
    assert preferences({PREFERENCES: as_python}, device="mps") == {
        "priority_list": ["cpu"],
        "precision": None,
        "device": "mps",
    }


def test_without_options_the_environment_is_left_alone() -> None:
    given = {PREFERENCES: "whatever", "A": "b"}
    assert RunRequest(("x",)).environment(given) == given


def test_weights_have_their_own_variable() -> None:
    assert RunRequest(("x",), weights="tiny").environment({}) == {"RPGEN_WEIGHTS": "tiny"}
    assert RunRequest(("x",), level="minimal").environment({}) == {"RPGEN_LEVEL": "minimal"}


@pytest.mark.parametrize("text", ["[1]", "__import__('os').system('x')", "{", "{1: " * 500, "\0"])
def test_preferences_are_never_code(text: str) -> None:
    with pytest.raises(UsageError, match=PREFERENCES):
        RunRequest(("x",), device="cpu").environment({PREFERENCES: text})
