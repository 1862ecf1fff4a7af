"""A sweep is of one version, of all that was asked for, and says where it falls short."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import architectures
from benchmarks.architectures import (
    Row,
    Sweep,
    levels_of,
    main,
    paper,
    raise_unless_whole,
    shortfalls,
    spread,
    summary,
)  # fmt: skip
from benchmarks.sweep import FOLDER, Origin, Ran, folder_for, run_all, run_sweep
from rpgen.model_database import ModelDatabase, load

ORIGIN = Origin("abc1234", "c0de", "5.23.0", "da7a")
TYPES = ("bert", "clip")


class Fake:
    """Writes a file and a report of one test for each type."""

    def __init__(self, *origins: Origin) -> None:
        self.origins = list(origins or (ORIGIN,))
        self.ran: list[str] = []

    def origin(self) -> Origin:
        return self.origins.pop(0) if len(self.origins) > 1 else self.origins[0]

    def generate(self, folder: Path, types: Sequence[str]) -> Mapping[str, Path]:
        return {name: folder / f"test_hf_{name}.py" for name in types}

    def run(self, files: Sequence[Path], folder: Path, processes: int) -> None:
        for file in files:
            report = folder / f"batch-{file.stem}.json"
            if not report.exists():
                self.ran.append(file.stem.removeprefix("test_hf_"))
                report.write_text("{}")

    def sweep(self, folder: Path, types: Sequence[str] = TYPES, **options: Any) -> Ran:
        return run_sweep(
            folder, types, 1, origin=self.origin, generate=self.generate, run=self.run, **options
        )


def row(model_type: str, **changes: Any) -> Row:
    whole = Row(model_type, "vision", ("forward",), False, 3, 3, 0.5, {}, {}, "", None)
    return replace(whole, **changes)


def of(*rows: Row, minutes: float | None = None) -> Sweep:
    return Sweep(rows, 2, minutes, ORIGIN)


def database(problems: Mapping[str, str]) -> ModelDatabase:
    types = {
        name: {"config": "Config", "tiny": {"problem": said} if said else {"rung": 0}}
        for name, said in problems.items()
    }
    return ModelDatabase(Path("db.json"), {"transformers": "5"}, types, {}, {})


def test_a_sweep_that_was_stopped_goes_on_and_has_no_time(tmp_path: Path) -> None:
    first = Fake()
    assert first.sweep(tmp_path).minutes is not None
    (tmp_path / "batch-test_hf_clip.json").unlink()
    again = Fake()
    assert again.sweep(tmp_path).minutes is None
    assert (first.ran, again.ran) == (["bert", "clip"], ["clip"])


def test_a_sweep_that_is_whole_keeps_its_time(tmp_path: Path) -> None:
    minutes = Fake().sweep(tmp_path).minutes
    again = Fake()
    assert again.sweep(tmp_path) == Ran(ORIGIN, minutes)
    assert again.ran == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replace(ORIGIN, code="beef"), "code c0de is now beef"),
        (replace(ORIGIN, transformers="5.6.0"), r"transformers 5\.23\.0 is now 5\.6\.0"),
        (replace(ORIGIN, database="0"), "database da7a is now 0"),
    ],
)
def test_another_version_does_not_go_on_with_it(tmp_path: Path, changed: Origin, said: str) -> None:
    Fake().sweep(tmp_path)
    other = Fake(changed)
    with pytest.raises(SystemExit, match=said):
        other.sweep(tmp_path)
    assert other.ran == []
    assert other.sweep(tmp_path, anew=True).origin == changed
    assert other.ran == list(TYPES)


def test_another_commit_of_the_same_code_is_the_same_version(tmp_path: Path) -> None:
    Fake().sweep(tmp_path)
    assert Fake(replace(ORIGIN, commit="def5678")).sweep(tmp_path).origin == ORIGIN


def test_other_types_and_reports_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    Fake().sweep(tmp_path)
    with pytest.raises(SystemExit, match="2 types are now 1"):
        Fake().sweep(tmp_path, ("bert",))
    (tmp_path / "sweep.json").unlink()
    with pytest.raises(SystemExit, match="doesn't say what its reports are of"):
        Fake().sweep(tmp_path)


def test_code_that_changes_on_the_way_spoils_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no sweep of one version: code c0de is now beef"):
        Fake(ORIGIN, replace(ORIGIN, code="beef")).sweep(tmp_path)


def test_a_type_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no file was written for clip"):
        run_sweep(
            tmp_path, TYPES, 1, origin=Fake().origin, run=Fake().run,
            generate=lambda folder, types: {"bert": folder / "test_hf_bert.py"},
        )  # fmt: skip


def test_a_sample_and_single_types_have_folders_of_their_own() -> None:
    folders = [folder_for((), None), folder_for((), 60), folder_for((), 6), folder_for(TYPES, None)]
    assert folders[0] == FOLDER
    assert len({*folders, folder_for(("bert",), None)}) == 5


def test_a_batch_that_has_its_report_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "batch-000.json").write_text("{}")
    run_all([tmp_path / "test_hf_bert.py"], tmp_path, 1)  # starting a process fails the test


def test_every_type_has_a_row() -> None:
    raise_unless_whole(of(row("bert"), row("clip")), TYPES)
    with pytest.raises(SystemExit, match=r"1 types have no report.*clip"):
        raise_unless_whole(of(row("bert")), TYPES)
    with pytest.raises(SystemExit, match="vit"):
        raise_unless_whole(of(row("bert"), row("clip"), row("vit")), TYPES)


def test_the_levels_are_those_of_the_file() -> None:
    assert levels_of('LEVELS = ("forward",)  # what\n') == ("forward",)
    wrapped = 'LEVELS = (\n    "forward",\n    "joint modalities",\n    "training step",\n)\n'
    assert levels_of(wrapped) == ("forward", "joint", "training")
    assert levels_of("import torch\n") == ()


def test_a_row_that_falls_short_without_a_reason_is_no_paper() -> None:
    for silent in (row("vit", passed=2), row("vit", takes_several=True), row("vit", tests=0)):
        with pytest.raises(SystemExit, match="no reason is known where these fall short: vit"):
            paper(of(row("bert"), silent))
    told = row("vit", passed=2, reason="AssertionError: the moon must be full")
    assert "| 2/3 | 0.5 |  |  | AssertionError: the moon must be full |" in paper(of(told))
    assert "| needs natten |" in paper(of(row("dinat", passed=0, absent="natten")))


def test_the_paper_is_of_what_the_sweep_was_made_with() -> None:
    text = paper(of(row("bert"), minutes=9.4))
    assert "at abc1234, with transformers 5.23.0 on" in text
    assert "All took 9 minutes in 2 processes." in text
    assert "can't be installed here" in summary(of(row("dinat", passed=0, absent="natten")))


def test_less_than_asked_for_is_told() -> None:
    many = [row(f"t{n}") for n in range(98)]
    short = row("vit", passed=2, reason="no")
    assert shortfalls(of(*many, short, short)) == []
    assert "97 of 100 pass" in shortfalls(of(*many[:97], short, short, short))[0]
    joint = [row(f"t{n}", takes_several=True, reached=("forward", "joint")) for n in range(19)]
    alone = row("clip", takes_several=True)
    assert shortfalls(of(*joint, alone)) == []
    assert "19 of 21 take all" in shortfalls(of(*joint, alone, alone))[0]
    assert shortfalls(of(row("bert"), row("dinat", passed=0, absent="natten"))) == []


def test_a_sample_is_of_types_that_can_run() -> None:
    absent = "needs a package: `pip install natten`"
    known = database({**dict.fromkeys("abcdefgh", ""), "c": absent, "e": "does not build"})
    assert spread(known, "abcdefgh", 4) == ["a", "d", "e", "g"]
    assert spread(known, "abcdefgh", 7) == [*"abdefgh"]
    with pytest.raises(SystemExit, match="only 7 types can run, 8 were asked for"):
        spread(known, "abcdefgh", 8)


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What `main` asks for, with a paper and a sweep of its own."""
    asked: dict[str, Any] = {"ran": Ran(ORIGIN, 1.0), "paper": tmp_path / "paper.md"}

    def run(folder: Path, types: Sequence[str], processes: int, *, anew: bool) -> Ran:
        asked.update(folder=folder, types=list(types), anew=anew)
        return asked["ran"]

    monkeypatch.setattr(architectures, "run_sweep", run)
    monkeypatch.setattr(architectures, "all_types", lambda: list(TYPES))
    monkeypatch.setattr(architectures, "read", lambda folder: [row(t) for t in asked["types"]])
    monkeypatch.setattr(architectures, "PAPER", asked["paper"])
    return asked


def test_all_types_write_the_paper_and_single_ones_do_not(swept: dict[str, Any]) -> None:
    assert main(["bert", "vit", "--anew"]) == 0
    assert (swept["types"], swept["anew"]) == (["bert", "vit"], True)
    assert not swept["paper"].exists()
    assert main([]) == 0
    assert (swept["types"], swept["folder"], swept["anew"]) == (list(TYPES), FOLDER, False)
    assert "| bert |" in swept["paper"].read_text()


def test_another_version_than_the_pinned_one_writes_no_paper(
    swept: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    swept["ran"] = Ran(replace(ORIGIN, transformers="5.6.0"), 1.0)
    assert main([]) == 0
    assert not swept["paper"].exists()
    assert "not with 5.6.0" in capsys.readouterr().out


def test_a_shortfall_is_the_exit_code(
    swept: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("bert"), row("clip", passed=1, reason="the moon must be full")]
    monkeypatch.setattr(architectures, "read", lambda folder: rows)
    assert main([]) == 1
    assert "1 of 2 pass their whole file: fewer than 98%" in capsys.readouterr().out


def test_rows_come_from_the_reports(tmp_path: Path) -> None:
    file = tmp_path / "test_hf_clip.py"
    file.write_text('LEVELS = ("forward", "joint modalities")\n')
    tests = [
        {"outcome": "passed", "message": None},
        {"outcome": "skipped", "message": "no"},
        {"outcome": "failed", "message": "AssertionError: the moon must be full"},
    ]
    told = {
        "model": "clip", "path": str(file), "tests": tests, "message": None,
        "duration_seconds": 0.5,
    }  # fmt: skip
    (tmp_path / "batch-000.json").write_text(json.dumps({"files": [told]}))
    (found,) = architectures.read(tmp_path)
    assert (found.model_type, found.passed, found.tests) == ("clip", 1, 2)
    assert found.reached == ("forward", "joint")
    assert found.takes_several == (len(load().raw_architectures["clip"]["inputs"]) > 1)
    assert found.why == "AssertionError: the moon must be full"
