import io
import sys
from pathlib import Path

import pytest

from rpgen.errors import UsageError
from rpgen.generate.names import collect_models


def test_options_come_first_and_each_model_once(tmp_path: Path) -> None:
    listed = tmp_path / "models.txt"
    listed.write_text("# ours\n\n gpt2 \nt5-small # small\nbert\n", encoding="utf-8-sig")
    assert collect_models(["bert", "bert"], str(listed)) == ["bert", "gpt2", "t5-small"]


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"gpt2\r\nbert\r\n")))
    assert collect_models([], "-") == ["gpt2", "bert"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\xff\xfe\x00"])
def test_a_list_without_models_is_an_error(tmp_path: Path, content: bytes) -> None:
    listed = tmp_path / "models.txt"
    listed.write_bytes(content)
    with pytest.raises(UsageError, match=r"models\.txt"):
        collect_models([], str(listed))


def test_no_model_at_all_and_no_such_file() -> None:
    with pytest.raises(UsageError, match="--model ID"):
        collect_models([], None)
    with pytest.raises(UsageError, match="can't be read"):
        collect_models([], "/no/such/file")
