"""Reading what people write, and never running it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpgen.errors import UsageError
from rpgen.families import Family, Subfamily
from rpgen.hardware.types import Backend
from rpgen.placement.preferences import Preferences, Request, from_text, merged, parse, parse_device


def test_nothing_asked_for() -> None:
    assert parse(None) == parse({}) == parse({"device": "auto", "precision": None}) == Preferences()


def test_every_key() -> None:
    found = parse(
        {
            "device": "cuda:1",
            "force_device": True,
            "priority_list": ["cuda", Backend.MPS, "cpu"],
            "preferred_index": 1,
            "compatible_devices": ["cuda", "cpu"],
            "hw_compatibility": {
                "cuda": {"compatible": True, "memory_usage": {"peak": 1200}},
                "mps": {"compatible": False, "reason": "no"},
            },
            "force_low_memory": True,
            "precision": "float16",
            "mixed_precision": True,
            "model_family": "embedding",
            "subfamily": "masked_lm",
            "browser": "chrome",
            "somebody's own": object(),
        }
    )
    assert found.device == Request(Backend.CUDA, 1)
    assert found.priority == (Request(Backend.CUDA), Request(Backend.MPS), Request(Backend.CPU))
    assert found.compatibility[Backend.CUDA].peak_mb == 1200
    assert not found.compatibility[Backend.MPS].compatible
    assert (found.precision, found.preferred_index) == ("fp16", 1)
    assert (found.family, found.subfamily) == (Family.EMBEDDING, Subfamily.MASKED_LM)
    assert found.force_device
    assert found.force_low_memory
    assert found.mixed_precision
    assert found.browser == "chrome"


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "banana"},
        {"device": "cuda:-1"},
        {"device": "cuda; rm -rf /"},
        {"device": ["cuda"]},
        {"priority_list": "banana"},
        {"priority_list": 3},
        {"preferred_index": "1"},
        {"preferred_index": -1},
        {"preferred_index": True},
        {"precision": "int3"},
        {"force_device": "perhaps"},
        {"hw_compatibility": ["cuda"]},
        {"hw_compatibility": {"cuda": 3}},
        {"hw_compatibility": {"cuda": {"memory_usage": {"peak": "much"}}}},
    ],
)
def test_what_makes_no_sense_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        parse(wrong)


def test_a_preference_that_is_no_dictionary() -> None:
    with pytest.raises(UsageError, match="must be a dictionary"):
        parse("cuda")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        '{"device": "cpu", "preferred_index": 1}',
        "{'device': 'cpu', 'preferred_index': 1}",
        "  {'device': 'cpu', 'preferred_index': 1}\n",
    ],
)
def test_json_and_python_literals(text: str) -> None:
    assert from_text(text) == {"device": "cpu", "preferred_index": 1}


HOSTILE = [
    "__import__('os').system('touch HACKED')",
    "{'device': __import__('os').system('touch HACKED')}",
    "{'device': (lambda: open('HACKED', 'w'))()}",
    "{'a': [x for x in ().__class__.__base__.__subclasses__()]}",
    "eval('1')",
    "{" * 5000,
    "[" * 15_000,
    "{'device': 'cpu'",
    "9" * 25_000,
    "\x00",
    "null",
    "[1, 2]",
    "not anything",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_and_never_run(
    text: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError):
        from_text(text)
    assert not list(folder.iterdir())


def test_the_environment_wins_key_by_key() -> None:
    found = merged({"device": "cuda", "precision": "fp16"}, '{"device": "cpu"}')
    assert found == parse({"device": "cpu", "precision": "fp16"})
    assert merged({"device": "cuda"}, " ") == parse({"device": "cuda"})


@given(st.text(max_size=200))
def test_no_text_gets_past_as_anything_but_a_dictionary_or_an_error(text: str) -> None:
    try:
        assert isinstance(from_text(text), dict)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017  one line is what is promised


def test_devices() -> None:
    assert parse_device("auto") is None
    assert parse_device("gpu") == Request(Backend.CUDA)
    assert str(parse_device("cuda:1")) == "cuda:1"
    assert parse_device("openvino:GPU") == Request(Backend.OPENVINO)
