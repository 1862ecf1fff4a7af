"""Which heads the file of a family does not fit, as a run of such files shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from rpgen.architectures import families
from rpgen.model_database import load
from rpgen.paths import shipped_model_database

HEADS = {"test_a.py": ("bert", "AutoModel"), "test_b.py": ("sam2", "AutoModelForMaskGeneration")}


def a_test(outcome: str, message: str | None, name: str = "test_x") -> dict[str, Any]:
    return {"id": f"s/test_a.py::TestA::{name}", "outcome": outcome, "message": message}


@pytest.mark.parametrize(
    ("outcome", "message", "reason"),
    [
        ("failed", "AssertionError: in bf16: differs", None),
        ("failed", "rpgen.checks.gradients.NoGradientError: none", None),
        ("failed", "TypeError: takes no text\nmore", "test_x: TypeError: takes no text"),
        ("error", "in set-up: AssertionError: it is torn", None),
        ("error", "in set-up: rpgen.errors.MissingPackageError: torchvision.ops is missing",
         "setUpClass: MissingPackageError: torchvision.ops is missing"),
        ("passed", "TypeError: none", None),
        ("skipped", "ValueError: not here", None),
        ("failed", None, None),
        ("crashed", "SIGSEGV", None),
    ],
)  # fmt: skip
def test_what_is_raised_beside_a_failed_check_shows_that_the_file_does_not_fit(
    outcome: str, message: str | None, reason: str | None
) -> None:
    assert next(families.raised([a_test(outcome, message)]), None) == reason


def test_the_first_model_of_a_head_tells_why() -> None:
    tests = [a_test("passed", None), a_test("failed", "KeyError: 'boxes'", "test_reads")]
    report = {"files": [{"path": "s/test_b.py", "tests": tests},
                        {"path": "s/test_a.py", "tests": [a_test("passed", None)]},
                        {"path": "s/test_else.py", "tests": tests}]}  # fmt: skip
    assert families.misfits(report, HEADS) == {HEADS["test_b.py"]: "test_reads: KeyError: 'boxes'"}


def test_a_reason_keeps_to_its_length() -> None:
    (told,) = families.raised([a_test("failed", "ValueError: " + "x" * 999)])
    assert len(told) == 200


def a_database(folder: Path) -> Path:
    types = {
        "bert": {"config": "BertConfig", "auto_class": "AutoModel", "misfits": {"AutoModel": "old"},
                 "classes": {"AutoModel": "BertModel"}, "inputs": ["text"]},
        "clip": {"config": "CLIPConfig"},
    }  # fmt: skip
    model = {"model_type": "bert", "config": {"hidden_size": 8}}
    path = folder / "db.json"
    path.write_text(json.dumps({"schema": 1, "made_with": {}, "architectures": types,
                                "models": {"own/bert": model}, "names": {}}))  # fmt: skip
    return path


def test_what_was_found_takes_the_place_of_what_was_known(tmp_path: Path) -> None:
    path = a_database(tmp_path)
    assert families.record_misfits(path, {("clip", "AutoModel"): "test_x: KeyError"}) == 2
    found = load(path)
    bert, clip = found.architecture("bert"), found.architecture("clip")
    assert bert is not None
    assert clip is not None
    assert bert.misfits == {}
    assert clip.misfits == {"AutoModel": "test_x: KeyError"}
    assert families.record_misfits(path, {("clip", "AutoModel"): "test_x: KeyError"}) == 0


def test_the_files_are_those_of_the_families_whatever_is_known(tmp_path: Path) -> None:
    database = load(a_database(tmp_path))
    heads = families.write_files(database, tmp_path / "s")
    ((name, head),) = heads.items()
    assert head == ("bert", "AutoModel")
    assert "FAMILY = " in (tmp_path / "s" / name).read_text()
    assert "Not the file of its family" not in (tmp_path / "s" / name).read_text()


def test_the_database_says_of_a_well_known_head_why_its_file_is_general() -> None:
    known = load(shipped_model_database())
    marked = [each for each in known.architectures() if each.misfits]
    assert marked
    for each in marked:
        assert set(each.misfits) <= {*each.class_names, "AutoModel"}, each.model_type
        assert not any("AssertionError" in why.split(": ")[1] for why in each.misfits.values())
