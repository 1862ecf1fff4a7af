"""What is known of heads: whose files are run, and how it gets into the database."""

import json
from pathlib import Path
from typing import Any

from rpgen.architectures import families
from rpgen.generate.chosen import PRECISIONS, chosen_checks
from rpgen.grounds import ground_of, is_of_code
from rpgen.model_database import HeadFacts, load
from rpgen.models.awake import of_weights
from rpgen.paths import shipped_model_database

MASKED, BARE = "AutoModelForMaskedLM", "AutoModel"
OLD = {BARE: {"misfit": "old"}}


def a_database(folder: Path) -> Path:
    types = {
        "bert": {"config": "BertConfig", "auto_class": MASKED, "heads": OLD,
                 "classes": {MASKED: "BertForMaskedLM", BARE: "BertModel"}, "inputs": ["text"]},
        "clip": {"config": "CLIPConfig"},
    }  # fmt: skip
    models = {
        "own/bert": {"model_type": "bert", "config": {"hidden_size": 8}},
        "own/bert-two": {"model_type": "bert"},
        "own/bare": {"model_type": "bert", "auto_class": BARE},
        "own/family": {"family": "vision"},
    }
    path = folder / "db.json"
    path.write_text(json.dumps({"schema": 1, "made_with": {}, "architectures": types,
                                "models": models, "names": {}}))  # fmt: skip
    return path


def heads(path: Path, model_type: str) -> Any:
    found = load(path).architecture(model_type)
    assert found is not None
    return found.heads


def test_each_head_of_a_well_known_model_is_run_once(tmp_path: Path) -> None:
    database = load(a_database(tmp_path))
    assert families.heads_of(database) == [f"bert {MASKED}", f"bert {BARE}"]
    assert families.heads_of(database, ["clip"]) == []


def test_what_was_found_takes_the_place_of_what_was_known(tmp_path: Path) -> None:
    path = a_database(tmp_path)
    found = {
        f"bert {BARE}": {},
        f"bert {MASKED}": {"settings": {"untrained_fan_gain": 1.0}, "problem": "test_x: fails"},
    }
    assert families.record_heads(path, found) == 1
    assert heads(path, "bert") == {MASKED: HeadFacts(settings={"untrained_fan_gain": 1.0})}
    assert families.record_heads(path, found) == 0


def test_a_head_that_was_not_run_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    path = a_database(tmp_path)
    found = {f"bert {MASKED}": {"left_out": {"alone": "it draws"}}}
    assert families.record_heads(path, found) == 1
    assert heads(path, "bert") == {
        BARE: HeadFacts(misfit="old"), MASKED: HeadFacts(left_out={"alone": "it draws"})
    }  # fmt: skip


def test_a_type_of_whose_heads_nothing_is_left_says_nothing_of_them(tmp_path: Path) -> None:
    path = a_database(tmp_path)
    families.record_heads(path, {f"bert {BARE}": {}})
    assert "heads" not in load(path).raw_architectures["bert"]


def test_the_shipped_heads_say_what_files_can_leave_out_and_why() -> None:
    known = load(shipped_model_database())
    marked = [each for each in known.architectures() if each.heads]
    assert marked
    optional = {
        *PRECISIONS,
        *chosen_checks(None, None, "AutoModelForCausalLM", known=True, gguf=False),
    }
    for each in marked:
        assert set(each.heads) <= {*each.class_names, BARE}, each.model_type
        for facts in each.heads.values():
            assert facts.left_out.keys() <= optional, each.model_type
            assert all(is_of_code(n, ground_of(why)) for n, why in facts.left_out.items())
            assert all(map(of_weights, facts.settings)), each.model_type
            assert facts.misfit is None or "AssertionError" not in facts.misfit
