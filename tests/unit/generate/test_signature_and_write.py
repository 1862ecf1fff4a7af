import os
import stat
from pathlib import Path

import pytest

from rpgen.errors import OutputError
from rpgen.generate.signature import Origin, origin, sign
from rpgen.generate.write import Action, decide, model_of, write

TEXT = 'CHECKPOINT = Checkpoint("gpt2", weights="auto")\n\nprint("hello")\n'


def test_a_signed_file_is_known_until_somebody_edits_it() -> None:
    signed = sign(TEXT)
    assert origin(signed) is Origin.GENERATED
    assert origin(signed.replace("hello", "hullo")) is Origin.EDITED
    assert origin(signed + "\nprint('more')\n") is Origin.EDITED
    assert origin(TEXT) is Origin.FOREIGN
    assert origin("") is Origin.FOREIGN


def test_line_endings_and_a_lost_last_newline_are_no_edits() -> None:
    signed = sign(TEXT)
    assert origin(signed.replace("\n", "\r\n")) is Origin.GENERATED
    assert origin(signed.rstrip()) is Origin.GENERATED


def test_decisions(tmp_path: Path) -> None:
    path = tmp_path / "test_hf_gpt2.py"
    new = sign(TEXT)
    assert decide(path, new, "gpt2", force=False).action is Action.CREATED
    path.write_text(new)
    assert decide(path, new, "gpt2", force=False).action is Action.UNCHANGED
    path.write_text(sign(TEXT + "# an older template\n"))
    assert decide(path, new, "gpt2", force=False).action is Action.UPDATED
    path.write_text(new.replace("hello", "hullo"))
    kept = decide(path, new, "gpt2", force=False)
    assert kept.action is Action.KEPT
    assert "edited" in kept.reason
    assert decide(path, new, "gpt2", force=True).action is Action.REPLACED


def test_the_tests_of_another_model_and_foreign_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "test_hf_gpt2.py"
    path.write_text(sign(TEXT.replace("gpt2", "GPT_2")))
    assert "GPT_2" in decide(path, sign(TEXT), "gpt2", force=False).reason
    path.write_text("print('mine')\n")
    assert "not written by rpgen" in decide(path, sign(TEXT), "gpt2", force=False).reason
    path.write_bytes(b"\xff\xfe\x00 not text")
    assert decide(path, sign(TEXT), "gpt2", force=False).action is Action.KEPT


def test_writing_makes_folders_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "test_hf_gpt2.py"
    write(path, "x = 1\n")
    write(path, "x = 2\n")
    assert path.read_text() == "x = 2\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["test_hf_gpt2.py"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_what_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"test_hf_x\.py can't be written"):
        write(tmp_path / "file" / "test_hf_x.py", "")
    with pytest.raises(OutputError, match="can't be read"):
        decide(tmp_path, "", "x", force=False)


def test_the_last_write_is_whole_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "test_hf_x.py"
    path.write_text("old\n")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write(path, "new\n")
    assert path.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["test_hf_x.py"]


def test_the_model_of_a_file() -> None:
    assert model_of(TEXT) == "gpt2"
    assert model_of("x = 1\n") is None
    assert model_of("not python ][") is None
