"""What was found about tiny models, on its way into the database."""

import json
from pathlib import Path

from rpgen.architectures.record import read_journal, record
from rpgen.model_database import load

TYPES = {"bert": {"config": "BertConfig"}, "clip": {"config": "CLIPConfig", "tiny": {"rung": 3}}}
ENTRY = {"auto_class": "AutoModel", "rung": 0, "inputs": {}, "levels": ["forward"]}


def database(folder: Path) -> Path:
    path = folder / "db.json"
    content = {"schema": 1, "made_with": {"transformers": "5"}, "architectures": TYPES,
               "models": {}, "names": {}}  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_recording_keeps_the_rest(tmp_path: Path) -> None:
    path = database(tmp_path)
    assert record(path, {"bert": ENTRY, "nothing": ENTRY}) == 1
    found = load(path).raw_architectures
    assert found["bert"] == {**TYPES["bert"], "tiny": ENTRY}
    assert found["clip"] == TYPES["clip"]
    assert "nothing" not in found
    assert load(path).made_with == {"transformers": "5"}


def test_recording_the_same_again_changes_nothing(tmp_path: Path) -> None:
    path = database(tmp_path)
    record(path, {"bert": ENTRY})
    before = path.read_bytes()
    assert record(path, {"bert": ENTRY}) == 0
    assert path.read_bytes() == before


def test_a_journal_that_was_torn_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = [json.dumps({"type": "bert", "found": {"rung": n}}) for n in (1, 2)]
    path.write_text("\n".join([*lines, '{"type": "cl']))
    assert read_journal(path)["bert"]["found"] == {"rung": 2}
    assert list(read_journal(path)) == ["bert"]
    assert read_journal(tmp_path / "absent") == {}
