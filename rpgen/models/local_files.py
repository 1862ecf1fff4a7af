"""What lies in a model's folder, in the hub's cache, or in a GGUF file, without loading it.

No torch, no transformers, no network. A broken `config.json` is an error, since nothing can be
said about the model without it; broken or missing weights are a `problem`, since a test may
still run with random ones.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpgen.errors import ModelUnavailableError
from rpgen.models.safetensors_header import TornFileError, read_summary

_WHOLE = ("model.safetensors", "pytorch_model.bin")
_VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "vocab.bpe", "spiece.model", "tokenizer.model",
    "sentencepiece.bpe.model", "source.spm", "tekken.json", "bpe.codes", "vocab.model",
)  # fmt: skip
_CHARACTER_TOKENIZERS = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_LARGEST_JSON = 64 * 1024 * 1024


@dataclass(frozen=True)
class LocalFiles:
    """What is at hand of a model on this machine.

    `problem` says why there are no whole weights here (None where there are). `config` is the
    parsed `config.json` (for GGUF: what its header says in the same words), `modules` the
    parsed `modules.json` of sentence-transformers. `gguf` is the file's name within `folder`.
    """

    folder: Path | None = None
    revision: str | None = None
    config: Mapping[str, Any] | None = None
    modules: tuple[Mapping[str, Any], ...] | None = None
    weight_files: tuple[Path, ...] = ()
    tokenizer: bool = False
    processor: bool = False
    problem: str | None = None
    gguf: str | None = None

    @property
    def whole(self) -> bool:
        """Are configuration and weights here, complete as far as their headers tell?"""
        return self.config is not None and bool(self.weight_files) and self.problem is None

    @property
    def torn(self) -> bool:
        """Are there weights here that can't be right? (None at all is not torn.)"""
        return bool(self.weight_files) and self.problem is not None


def read_folder(folder: Path, revision: str | None = None) -> LocalFiles:
    """Raises ModelUnavailableError for what isn't a folder, and for a broken config.json."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise ModelUnavailableError(f"the folder {folder} can't be read: {error}") from error
    config = read_object(folder / "config.json") if "config.json" in names else None
    weights, problem = _weights(folder, names)
    if config is None and not (weights and problem):
        problem = f"{folder} holds no config.json"
    return LocalFiles(
        folder=folder,
        revision=revision,
        config=config,
        modules=_modules(folder) if "modules.json" in names else None,
        weight_files=weights,
        tokenizer=_has_tokenizer(folder, names),
        processor=any(name in names for name in _PROCESSORS),
        problem=problem,
    )


def read_gguf(path: Path) -> LocalFiles:
    """Raises ModelUnavailableError for a file that isn't GGUF or ends too early."""
    from rpgen.models.gguf_header import read_header

    try:
        config = read_header(path).config()
    except TornFileError as error:
        raise ModelUnavailableError(f"{path} is not a whole GGUF file: {error}") from error
    except OSError as error:
        raise ModelUnavailableError(f"{path} can't be read: {error}") from error
    return LocalFiles(
        folder=path.parent, config=config, weight_files=(path,), tokenizer=True, gguf=path.name
    )


def read_cache(model_id: str, revision: str | None = None) -> LocalFiles:
    """The model in the hub's local cache (HF_HUB_CACHE, HF_HOME); empty where it isn't there."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    repository = cache / ("models--" + model_id.replace("/", "--"))
    found = _snapshot(repository, revision or "main")
    if found is None:
        return LocalFiles(problem=_why_not_cached(cache, repository, model_id, revision))
    return read_folder(found, revision=found.name)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises ModelUnavailableError that names the file."""
    value = _read_json(path)
    if not isinstance(value, dict):
        raise ModelUnavailableError(f"{path} is broken: it should hold a JSON object")
    return value


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ModelUnavailableError(f"{path} is broken: no such file is that large")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ModelUnavailableError(f"{path} can't be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnavailableError(f"{path} is broken: it is not JSON ({error})") from error


def _modules(folder: Path) -> tuple[Mapping[str, Any], ...]:
    path = folder / "modules.json"
    value = _read_json(path)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ModelUnavailableError(f"{path} is broken: it should list JSON objects")
    return tuple(value)


def _snapshot(repository: Path, revision: str) -> Path | None:
    """The snapshot of a branch, a tag or a commit; None where the cache has none."""
    try:
        commit = (repository / "refs" / revision).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = revision
    folder = repository / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def _why_not_cached(cache: Path, repository: Path, model_id: str, revision: str | None) -> str:
    if repository.is_dir() and revision:
        return f"revision {revision!r} of {model_id} is not in the local cache {cache}"
    try:
        folders = [entry.name for entry in cache.iterdir()] if cache.is_dir() else []
    except OSError as error:
        return f"the local cache {cache} can't be read: {error}"
    for name in folders:
        if name != repository.name and name.lower() == repository.name.lower():
            other = name.removeprefix("models--").replace("--", "/")
            return f"{model_id} is not in the local cache {cache}, which has {other!r}"
    return f"{model_id} is not in the local cache {cache}"


def _weights(folder: Path, names: set[str]) -> tuple[tuple[Path, ...], str | None]:
    """The weight files that transformers would load, and what is wrong with them."""
    for name in _WHOLE:
        index = f"{name}.index.json"
        if name in names:
            return _checked(folder, [name])
        if index in names:
            return _shards(folder, index)
    return (), f"{folder} holds no weights ({', '.join(_WHOLE)} or their shards)"


def _shards(folder: Path, index: str) -> tuple[tuple[Path, ...], str | None]:
    try:
        shards = sorted({str(name) for name in read_object(folder / index)["weight_map"].values()})
    except ModelUnavailableError as error:
        return (folder / index,), str(error)
    except (KeyError, AttributeError):
        return (folder / index,), f"{folder / index} is broken: it has no weight_map"
    outside = [name for name in shards if Path(name).name != name]
    if outside:
        return (
            folder / index,
        ), f"{folder / index} names a file outside its folder: {outside[0]!r}"
    return _checked(folder, shards)


def _checked(folder: Path, names: list[str]) -> tuple[tuple[Path, ...], str | None]:
    paths = tuple(folder / name for name in names)
    problem = next(_problems(paths), None)
    return paths, problem


def _problems(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        try:
            if path.suffix == ".safetensors":
                read_summary(path)
            else:
                _check_archive(path)
        except TornFileError as error:
            yield f"{path} is torn: {error}"
        except OSError as error:
            yield f"{path} can't be read: {error}"


def _check_archive(path: Path) -> None:
    """torch.save writes a zip archive, whose directory stands at its end."""
    import zipfile

    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        raise TornFileError("it is empty")
    if start == b"PK" and not zipfile.is_zipfile(path):
        raise TornFileError("the end of its archive is missing")


def _has_tokenizer(folder: Path, names: set[str]) -> bool:
    if any(name in names for name in _VOCABULARIES):
        return True
    if "tokenizer_config.json" not in names:
        return False
    config = read_object(folder / "tokenizer_config.json")
    return config.get("tokenizer_class") in _CHARACTER_TOKENIZERS
