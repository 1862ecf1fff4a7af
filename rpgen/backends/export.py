"""A model as an ONNX file, made once and kept in the user's cache.

<cache>/exports/<key>/model.onnx    with weights beyond 2 GB beside it
<cache>/exports/<key>/made.json     written last: a folder without it is no export
<cache>/exports/making-<key>-…/     while it is made, by whoever holds locks/<key>

Processes that need the same export wait for the first, and take what it made.
"""

import contextlib
import functools
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rpgen.backends.base import BackendError, ModelIdentity, Sizes, first_line
from rpgen.backends.tracing import grows, recording, trace
from rpgen.paths import user_cache_folder

OPSET = 20
MOST_BYTES = 8 * 2**30
"""Of all exports together; those used longest ago go."""

_MADE = "made.json"
_MAKING = "making-"


@dataclass(frozen=True)
class ExportedModel:
    """An ONNX file. `inputs` are those that the graph kept, `sizes` the axes of each input of
    the call: None is a size that may change."""

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: Sizes
    seconds: float
    from_cache: bool


def export(
    call: Any,
    inputs: Mapping[str, Any],
    identity: ModelIdentity,
    *,
    static: bool = False,
    cache: Path | None = None,
) -> ExportedModel:
    """The ONNX file of a flat call. `static` fixes every size at the example's.

    Raises BackendError where torch can't write it.
    """
    started = time.perf_counter()
    folder = (cache or user_cache_folder()) / "exports"
    fixed, free = (folder / key for key in keys_of(call, inputs, identity, static))
    places = (fixed,) if static else (free, fixed)
    found = _first(places, call)
    if found is None:
        with _lock(folder, places[0].name):
            found = _first(places, call) or _made(places, fixed, call, inputs, static)
        if not found.from_cache:
            keep_within(folder, MOST_BYTES, keep=found.path.parent)
    return replace(found, seconds=time.perf_counter() - started)


def _first(places: Iterable[Path], call: Any) -> ExportedModel | None:
    return next((found for place in places if (found := _read(place, call))), None)


def _made(
    places: tuple[Path, ...], fixed: Path, call: Any, inputs: Mapping[str, Any], static: bool
) -> ExportedModel:
    """Exported by who holds the lock of the first place: it is any size's where it serves any."""
    folder, key = places[0].parent, places[0].name
    for left in folder.glob(f"{_MAKING}{key}-*"):  # by somebody who was killed
        shutil.rmtree(left, ignore_errors=True)
    making = Path(tempfile.mkdtemp(dir=folder, prefix=f"{_MAKING}{key}-"))
    try:
        sizes = _write(making, call, inputs, static)
        place = places[0] if static or _serves_any(inputs, sizes) else fixed
        _put(making, place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    found = _read(place, call)
    if found is None:
        raise BackendError(f"the export in {place} can't be read back")
    return replace(found, from_cache=False)


def _lock(folder: Path, key: str, timeout: float = -1.0) -> Any:
    from filelock import FileLock

    locks = folder / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / key, timeout=timeout)


def keys_of(
    call: Any, inputs: Mapping[str, Any], identity: ModelIdentity, static: bool
) -> tuple[str, str]:
    """What an export depends on: the model and its very weights, what goes in and comes out,
    and the versions of what made it. A key for inputs of these very sizes, and one for any."""
    import torch
    import transformers

    facts = [
        _digest_of_exporter(),
        OPSET,
        torch.__version__,
        transformers.__version__,
        [identity.name, identity.revision, identity.weights, identity.dtype, identity.auto_class],
        call.signature(),
        static,
        {name: str(each.dtype) for name, each in inputs.items()},
        _configuration(call.model),
        [name for name, each in call.model.named_modules() if each.training],
        _digest_of_weights(call.model),
    ]
    fixed = {name: list(each.shape) for name, each in inputs.items()}
    free = {name: _may_change(name, each) for name, each in inputs.items()}
    both = [json.dumps([facts, sizes]).encode() for sizes in (fixed, free)]
    return hashlib.sha256(both[0]).hexdigest()[:32], hashlib.sha256(both[1]).hexdigest()[:32]


def _may_change(name: str, tensor: Any) -> list[int | None]:
    """None for the axes that inputs of one kind differ in: the batch, and the length of a text
    or of a cache. A size of 1 is recorded as such, since it broadcasts."""
    axes = {0}
    if grows(name):
        axes.add(2)
    elif not tensor.is_floating_point() and tensor.dim() <= 2:
        axes.add(tensor.dim() - 1)
    return [None if axis in axes and size > 1 else size for axis, size in enumerate(tensor.shape)]


def _serves_any(inputs: Mapping[str, Any], sizes: Sizes) -> bool:
    """Whether an export takes every input that has the same key for any size."""
    return all(
        size is None or may is not None
        for name, each in inputs.items()
        for size, may in zip(sizes[name], _may_change(name, each), strict=True)
    )


def _configuration(model: Any) -> str:
    config = getattr(model, "config", None)
    return str(config.to_json_string(use_diff=False)) if config is not None else repr(type(model))


@functools.cache
def _digest_of_exporter() -> str:
    """Of the code here that decides what is recorded."""
    sources = ("call.py", "export.py", "plainer.py", "structure.py", "tracing.py")
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in sources)).hexdigest()


def _digest_of_weights(model: Any) -> str:
    """Of every parameter and buffer: a folder's files may have changed under its name."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        data = tensor.detach().cpu().contiguous().reshape(-1)
        if data.numel():
            digest.update(memoryview(data.view(torch.uint8).numpy()))
    return digest.hexdigest()


def _write(folder: Path, call: Any, inputs: Mapping[str, Any], static: bool) -> Sizes:
    import torch

    started = time.perf_counter()
    traced = trace(call, inputs, static=static)
    try:
        with recording():
            torch.onnx.export(
                traced.module,
                tuple(inputs.values()),
                str(folder / "model.onnx"),
                input_names=list(call.input_names),
                output_names=list(call.output_names),
                dynamic_axes=_axes(traced.sizes),
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        raise BackendError(f"torch can't write this model as ONNX: {first_line(error)}") from error
    made = {
        "sizes": {name: list(sizes) for name, sizes in traced.sizes.items()},
        "outputs": list(call.output_names),
        "seconds": round(time.perf_counter() - started, 3),
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / _MADE).write_text(json.dumps(made), encoding="utf-8")
    return traced.sizes


def _axes(sizes: Sizes) -> dict[str, dict[int, str]]:
    return {
        name: {axis: axis_name(name, axis) for axis, size in enumerate(each) if size is None}
        for name, each in sizes.items()
    }


def axis_name(name: str, axis: int) -> str:
    """What a free size of an input is called in the file."""
    return f"{name}_{axis}"


def _put(making: Path, place: Path) -> None:
    """Into its place at once. What lies there could not be read by who holds the lock."""
    if place.exists():
        shutil.rmtree(place)
    making.rename(place)


def _read(place: Path, call: Any) -> ExportedModel | None:
    """None where there is no export, or its files aren't those that were written."""
    try:
        made = json.loads((place / _MADE).read_text(encoding="utf-8"))
        whole = all((place / n).stat().st_size == size for n, size in made["files"].items())
        sizes = {name: tuple(each) for name, each in made["sizes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not whole or tuple(sizes) != call.input_names:
        return None
    (place / _MADE).touch()  # used just now
    path = place / "model.onnx"
    return ExportedModel(path, call.input_names, tuple(made["outputs"]), sizes, 0.0, True)


def keep_within(folder: Path, most_bytes: int, keep: Path) -> None:
    """Remove the exports that were used longest ago until the rest is small enough."""
    _forget_the_dead(folder)
    found = []
    for made in folder.glob(f"*/{_MADE}"):
        try:
            size = sum(path.stat().st_size for path in made.parent.iterdir())
            found.append((made.stat().st_mtime, size, made.parent))
        except OSError:  # another process removes it
            continue
    total = sum(size for _, size, _ in found)
    for _, size, place in sorted(found, key=lambda each: each[0]):
        if total <= most_bytes:
            return
        if place != keep:
            shutil.rmtree(place, ignore_errors=True)
            total -= size


def _forget_the_dead(folder: Path) -> None:
    """Remove what was being made by who was killed: nobody holds the lock any more."""
    from filelock import Timeout

    for making in folder.glob(f"{_MAKING}*"):
        key = making.name.removeprefix(_MAKING).partition("-")[0]
        with contextlib.suppress(Timeout), _lock(folder, key, timeout=0):
            shutil.rmtree(making, ignore_errors=True)
