"""What a person may write for a model: a hub id, a folder, or a `.gguf` file.

A text is a path where it says so itself (it starts with `/`, `./`, `../` or `~`) or where it
names a `.gguf` file or a folder with a `config.json`. Any other text that has the form of a hub
id is one: a folder that happens to be called `gpt2` never hides the model gpt2.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rpgen.errors import ModelUnavailableError, UsageError
from rpgen.models.local_files import LocalFiles, read_cache, read_folder, read_gguf

__all__ = [
    "LocalFiles", "ModelReference", "ReferenceKind", "local_files",
    "parse_reference", "test_file_name",
]  # fmt: skip

_LONGEST_ID = 200
_LONGEST_PATH = 4000
_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./+-]{0,199}", re.ASCII)
_PATH_STARTS = ("/", "./", "../", "~")
_WHAT_TO_WRITE = "write a hub id such as bert-base-uncased, a folder, or a .gguf file"


class ReferenceKind(StrEnum):
    HUB = "hub"
    FOLDER = "folder"
    GGUF = "gguf"


@dataclass(frozen=True)
class ModelReference:
    """`text` is what was written; `name` is the hub id or the absolute path."""

    text: str
    kind: ReferenceKind
    name: str
    revision: str | None = None

    @property
    def path(self) -> Path | None:
        return None if self.kind is ReferenceKind.HUB else Path(self.name)

    @property
    def label(self) -> str:
        """A short name for people: the hub id, the folder's name, the file's stem."""
        if self.kind is ReferenceKind.HUB:
            return self.name
        path = Path(self.name)
        return (path.stem if self.kind is ReferenceKind.GGUF else path.name) or self.name


def parse_reference(text: str, revision: str | None = None) -> ModelReference:
    """Raises UsageError for what can be neither a hub id nor a path."""
    _refuse_unprintable(text)
    written = text.strip(" ")
    if revision is not None and not (_REVISION.fullmatch(revision) and ".." not in revision):
        raise UsageError(f"{revision!r} is not a revision: write a branch, a tag or a commit")
    path = _as_path(text)
    if path is not None:
        kind = ReferenceKind.GGUF if _is_gguf(path) else ReferenceKind.FOLDER
        if kind is ReferenceKind.FOLDER and path.is_file():
            raise UsageError(f"{text!r} is a file but not a .gguf file: {_WHAT_TO_WRITE}")
        return ModelReference(text, kind, str(path), revision)
    if len(written) > _LONGEST_ID:
        raise UsageError(f"the model name of {len(written)} letters is too long: {_WHAT_TO_WRITE}")
    if not is_hub_id(written):
        raise UsageError(f"{text!r} is neither a model id nor a path here: {_WHAT_TO_WRITE}")
    return ModelReference(text, ReferenceKind.HUB, written, revision)


def is_hub_id(text: str) -> bool:
    """The hub's own rule: `name` or `owner/name`, each of up to 96 plain characters."""
    if not _ID.fullmatch(text) or ".." in text or "--" in text:
        return False
    if text.endswith((".git", ".gguf")):
        return False
    return all(part[-1] not in ".-" for part in text.split("/"))


def test_file_name(reference: ModelReference) -> str:
    """`google/vit-base` gives `test_hf_google_vit_base.py`; a path gives its last name."""
    stem = re.sub(r"[^a-z0-9]+", "_", reference.label.lower()).strip("_")
    if not stem or len(stem) > _LONGEST_ID:
        digest = hashlib.sha256(reference.label.encode()).hexdigest()[:10]
        stem = f"{stem[: _LONGEST_ID - 20]}_{digest}".strip("_")
    return f"test_hf_{stem}.py"


test_file_name.__test__ = False  # type: ignore[attr-defined]  # pytest: this is no test


def local_files(reference: ModelReference) -> LocalFiles:
    """What of the model is on this machine. Raises ModelUnavailableError for a broken one."""
    path = reference.path
    if path is None:
        return read_cache(reference.name, reference.revision)
    if not path.exists():
        raise ModelUnavailableError(f"there is no {path}: check the path")
    return read_gguf(path) if reference.kind is ReferenceKind.GGUF else read_folder(path)


def _refuse_unprintable(text: str) -> None:
    if not text.strip():
        raise UsageError(f"the model name is empty: {_WHAT_TO_WRITE}")
    if len(text) > _LONGEST_PATH:
        raise UsageError(f"the model name of {len(text)} letters is too long: {_WHAT_TO_WRITE}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{text!r} is not valid UTF-8: rename the file or folder") from error
    if not text.isprintable():
        raise UsageError(f"{text!r} holds a line break or control character: {_WHAT_TO_WRITE}")


def _as_path(text: str) -> Path | None:
    """The absolute path that a text stands for, None where it is not one."""
    path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 (no resolving)
    try:
        if text.startswith(_PATH_STARTS):
            path.exists()  # raises for a name that no file can have
            return path
        if _is_gguf(path):
            return path if path.is_file() or "/" in text or os.sep in text else None
        if path.is_dir() and ((path / "config.json").is_file() or not is_hub_id(text.strip(" "))):
            return path
        return path if path.is_file() and not is_hub_id(text.strip(" ")) else None
    except OSError as error:  # a name too long for the file system is not a path
        if text.startswith(_PATH_STARTS):
            raise UsageError(f"{text[:60]!r}... is no path: {error.strerror}") from error
        return None


def _is_gguf(path: Path) -> bool:
    return path.suffix.lower() == ".gguf"
