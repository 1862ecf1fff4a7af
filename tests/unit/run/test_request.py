"""How options reach the worker."""

import json

import pytest

from rpgen.errors import UsageError
from rpgen.placement.preferences import ENVIRONMENT
from rpgen.run.request import RunRequest


def preferences(given: dict[str, str], **options: str) -> object:
    text = RunRequest(("x",), **options).environment(given).get(ENVIRONMENT)  # type: ignore[arg-type]
    return None if text is None else json.loads(text)


def test_the_device_is_put_into_the_preferences_that_are_there() -> None:
    assert preferences({}, device="cpu") == {"device": "cpu"}
    as_json = '{"device": "cuda", "precision": null}'
    assert preferences({ENVIRONMENT: as_json}, device="cpu") == {"device": "cpu", "precision": None}
    as_python = "{'priority_list': ['cpu'], 'precision': None}"
    assert preferences({ENVIRONMENT: as_python}, device="mps") == {
        "priority_list": ["cpu"],
        "precision": None,
        "device": "mps",
    }


def test_without_options_the_environment_is_left_alone() -> None:
    given = {ENVIRONMENT: "whatever", "A": "b"}
    assert RunRequest(("x",)).environment(given) == given


def test_weights_have_their_own_variable() -> None:
    assert RunRequest(("x",), weights="tiny").environment({}) == {"RPGEN_WEIGHTS": "tiny"}
    assert RunRequest(("x",), level="minimal").environment({}) == {"RPGEN_LEVEL": "minimal"}
    with_database = RunRequest(("x",), model_db="/a/db.json").environment({})
    assert with_database == {"RPGEN_MODEL_DB": "/a/db.json"}


@pytest.mark.parametrize("text", ["[1]", "__import__('os').system('x')", "{", "{1: " * 500, "\0"])
def test_preferences_are_never_code(text: str) -> None:
    with pytest.raises(UsageError, match=ENVIRONMENT):
        RunRequest(("x",), device="cpu").environment({ENVIRONMENT: text})


def test_several_devices_are_not_in_the_workers_environment() -> None:
    request = RunRequest(("x",), device="cpu,openvino:HETERO:GPU,CPU")
    assert request.devices == ("cpu", "openvino:HETERO:GPU,CPU")
    assert request.environment({}) == {}


def test_a_device_of_torch_that_is_required_is_forced() -> None:
    assert preferences({}, device="cuda", require_device=True) == {  # type: ignore[arg-type]
        "device": "cuda",
        "force_device": True,
    }
    assert preferences({}, device="wasm", require_device=True) == {"device": "wasm"}  # type: ignore[arg-type]
    environment = RunRequest(("x",), require_device=True).environment({})
    assert environment == {"RPGEN_REQUIRE_DEVICE": "1"}


def test_each_file_once_for_each_device() -> None:
    from pathlib import Path

    from rpgen.run.schedule import Target, on_devices

    target = Target(Path("/a.py"), "a.py", Path("/"), ("T::x",))
    assert on_devices([target], ("cpu",)) == (target,)
    both = on_devices([target], ("cpu", "wasm"))
    assert [(each.name, each.device) for each in both] == [
        ("a.py [cpu]", "cpu"),
        ("a.py [wasm]", "wasm"),
    ]
    assert all(Target.from_dict(each.to_dict()) == each for each in both)
