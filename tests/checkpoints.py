"""Small real checkpoints for tests, as folders and laid out as the hub's local cache."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

SIX = {
    "bert-base-uncased": ("bert", "AutoModelForMaskedLM"),
    "gpt2": ("gpt2", "AutoModelForCausalLM"),
    "t5-small": ("t5", "AutoModelForSeq2SeqLM"),
    "google/vit-base-patch16-224": ("vit", "AutoModelForImageClassification"),
    "openai/whisper-tiny": ("whisper", "AutoModelForSpeechSeq2Seq"),
    "openai/clip-vit-base-patch32": ("clip", "AutoModel"),
}
"""The six well-known ids: model type and head of each."""


def save_tiny(folder: Path, model_type: str, auto_class: str = "AutoModel") -> Path:
    """A whole checkpoint: configuration, safetensors, and its tokenizer or processor."""
    from rpgen.models import tiny, tiny_parts
    from rpgen.models.quiet import quiet_transformers

    config = tiny.tiny_config(model_type, None, auto_class)
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        tiny.tiny_model(config, auto_class).save_pretrained(folder)
        tiny_parts.build_part("AutoProcessor", config).save_pretrained(folder)
    return folder


def hub_cache(folder: Path, models: Mapping[str, tuple[str, str] | Path]) -> dict[str, Path]:
    """Fills a hub cache under `folder`; by id, the snapshots that `from_pretrained(id)` finds.

    A value is (model type, auto class), or the folder of a checkpoint to take over. To use it:
    HF_HUB_CACHE=folder and HF_HUB_OFFLINE=1, before huggingface_hub is imported; within a
    process that has imported it, `huggingface_hub.constants.HF_HUB_CACHE` as well.
    """
    return {model_id: _repository(folder, model_id, what) for model_id, what in models.items()}


def _repository(cache: Path, model_id: str, what: tuple[str, str] | Path) -> Path:
    repository = cache / ("models--" + model_id.replace("/", "--"))
    commit = hashlib.sha1(model_id.encode()).hexdigest()
    staging = repository / "staging"
    made = shutil.copytree(what, staging) if isinstance(what, Path) else save_tiny(staging, *what)
    snapshot = repository / "snapshots" / commit
    for file in sorted(path for path in Path(made).rglob("*") if path.is_file()):
        _add(repository, snapshot / file.relative_to(made), file)
    shutil.rmtree(staging)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    return snapshot


def _add(repository: Path, place: Path, file: Path) -> None:
    """A file as the hub's cache keeps it: a blob named by its digest, a relative link to it."""
    blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
    blob.parent.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, blob)
    place.symlink_to(os.path.relpath(blob, place.parent))
