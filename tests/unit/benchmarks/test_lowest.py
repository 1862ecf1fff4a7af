"""What is put down of the lowest transformers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import lowest
from benchmarks.architectures import Row, Sweep
from benchmarks.document import replaced
from benchmarks.lowest import fallen_short, told
from benchmarks.sweep import Origin
from rpgen.paths import MODEL_DATABASE, shipped_model_database

ROW = Row("bert", "embedding", ("forward",), False, 3, 3, 0.5, {}, {}, "", None)
SHORT = replace(ROW, model_type="vit", passed=2, reason="AssertionError: the moon must be full")


def of(*rows: Row) -> Sweep:
    return Sweep(rows, 2, 1.0, Origin("abc1234", "c0de", "5.6.0", "da7a"))


def test_both_databases_are_told_of_and_what_fell_short() -> None:
    text = told(of(ROW, replace(ROW, model_type="vit")), of(ROW, SHORT))
    assert "## 2 architectures with transformers 5.6.0" in text
    assert "- 2 of the 2 pass their whole file (100.0 %)." in text
    assert "made with another version, 1 of them pass" in text
    assert "| vit | AssertionError: the moon must be full |" in text
    assert "its own database" not in text


def test_every_type_of_the_sample_is_to_pass() -> None:
    many = [replace(ROW, model_type=f"t{n}") for n in range(59)]
    assert fallen_short(of(*many, ROW)) == []
    assert fallen_short(of(*many, SHORT)) == ["vit does not pass"]
    alone = replace(ROW, takes_several=True)
    assert "0 of 1 take all kinds together" in fallen_short(of(*many, alone))[0]


def test_a_section_takes_its_own_place() -> None:
    paper = replaced("# Figures\n", "lowest", "old")
    assert (
        replaced(paper, "lowest", "new \\1")
        == "# Figures\n\n<!-- lowest -->\nnew \\1\n<!-- /lowest -->\n"
    )


def test_who_needs_a_package_after_all_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[list[str]] = []
    barred = {"a", "c"}

    def explored(_: Path, types: Sequence[str], *__: object, **___: object) -> str:
        done.append(list(types))
        return ""

    def sample(count: int) -> list[str]:
        seen = {each for types in done for each in types}
        return [name for name in "abcdef" if name not in barred & seen][:count]

    monkeypatch.setattr(lowest, "TYPES", 3)
    monkeypatch.setattr(lowest, "refresh", lambda path: path.write_text("{}"))
    monkeypatch.setattr(lowest, "sample", sample)
    monkeypatch.setattr(lowest, "explored", explored)
    monkeypatch.setattr(lowest, "begin_journal", lambda *_, **__: None)
    monkeypatch.setenv(MODEL_DATABASE, "")
    assert lowest.refreshed(tmp_path / "own" / "database.json") == ["b", "d", "e"]
    assert done == [["a", "b", "c"], ["d", "e"]]


def test_the_lowest_version_is_the_one_that_is_admitted() -> None:
    root = shipped_model_database().parent
    admitted = '"transformers>=5.6,<6"'
    assert admitted in (root / "pyproject.toml").read_text("utf-8")
    assert "transformers==5.6.0" in Path(root / "constraints-lowest.txt").read_text("utf-8")
