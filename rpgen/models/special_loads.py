"""Loads that only `from_pretrained` can do: with quantised weights, or laid over several devices.

A model that was built from its configuration is saved first and loaded from there. The folder
lives as long as the model: weights may be mapped from it, or stay in it until they are used.
"""

import importlib.util
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rpgen.errors import MissingPackageError, UsageError
from rpgen.hardware.types import Backend
from rpgen.models.load import loading, model_class, plain_report, torch_dtype
from rpgen.placement.precision import REMEDY, installed, quantiser
from rpgen.placement.preferences import QUANTISED
from rpgen.placement.split import DISK, Split


def wanted(
    auto_class: str,
    device: str,
    dtype: str | None,
    split: Split | None,
    how: Mapping[str, Any],
) -> Callable[[Path], Any] | None:
    """The load of a folder that these wishes mean; None where a plain load will do."""
    if split is not None:
        limits: dict[str, Any] = {"max_mb": split.max_mb, "on_disk": split.on_disk}
        return partial(split_model, auto_class=auto_class, dtype=dtype, **limits, **how)
    if dtype in QUANTISED:
        return partial(
            quantised_model, auto_class=auto_class, device=device, precision=dtype, **how
        )
    return None


def quantised_model(
    folder: Path,
    *,
    auto_class: str,
    device: str,
    precision: str,
    trust_remote_code: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """The model with its linear layers in 8 or 4 bits. `rpgen_precision` and `rpgen_quantiser`
    on it say which, and whose."""
    by = _quantiser(precision, device)
    model = _load(
        folder,
        auto_class,
        trust_remote_code,
        quantization_config=_CONFIGURATIONS[by](precision),
        device_map=device,
        dtype=torch_dtype(None, device),
        **(options or {}),
    )
    model.rpgen_precision, model.rpgen_quantiser = precision, by
    return model


def split_model(
    folder: Path,
    *,
    auto_class: str,
    max_mb: Mapping[str, float],
    on_disk: bool,
    dtype: str | None = None,
    trust_remote_code: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """The model laid over devices by accelerate's device map, no device taking more than
    `max_mb`; what is left over stays on the disk."""
    if importlib.util.find_spec("accelerate") is None:
        raise MissingPackageError("a model is split by accelerate: pip install 'rpgen[split]'")
    limits: dict[Any, str | int] = {_place(d): int(mb * 2**20) for d, mb in max_mb.items()}
    limits.setdefault("cpu", 0)
    first = next(iter(max_mb))
    offload = tempfile.TemporaryDirectory(prefix="rpgen-offload-") if on_disk else None
    model = _load(
        folder,
        auto_class,
        trust_remote_code,
        device_map="auto",
        max_memory=limits,
        dtype=torch_dtype(dtype, first),
        **({"offload_folder": offload.name} if offload else {}),
        **(options or {}),
    )
    if DISK in {str(place) for place in model.hf_device_map.values()} and not on_disk:
        raise UsageError("the model doesn't fit on the devices it was split over")
    _keep(model, offload)
    return model


def from_saved(model: Any, load: Callable[[Path], Any]) -> Any:
    """What `load` makes of the folder that a model built here was saved to."""
    from rpgen.models.quiet import quiet_transformers

    folder = tempfile.TemporaryDirectory(prefix="rpgen-built-")
    with quiet_transformers():
        model.save_pretrained(folder.name)
    report = model.rpgen_loading_info
    del model
    made = load(Path(folder.name))
    made.rpgen_loading_info = report
    _keep(made, folder)
    return made


def _load(folder: Path, auto_class: str, trust_remote_code: bool, **how: Any) -> Any:
    with loading(str(folder)):
        model, info = model_class(auto_class).from_pretrained(
            str(folder),
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            **how,
        )
    model.rpgen_loading_info = plain_report(info)
    return model.eval()


def _keep(model: Any, folder: "tempfile.TemporaryDirectory[str] | None") -> None:
    """The folder goes when the model does."""
    if folder is not None:
        weakref.finalize(model, folder.cleanup)


def _quantiser(precision: str, device: str) -> str:
    found = quantiser(precision, _backend(device), installed(importlib.util.find_spec))
    if found is None:
        raise MissingPackageError(f"{precision} needs a package that isn't installed: {REMEDY}")
    return found


def _backend(device: str) -> Backend:
    import torch

    kind = device.partition(":")[0]
    return Backend.ROCM if kind == "cuda" and torch.version.hip else Backend(kind)


def _place(device: str) -> int | str:
    """accelerate calls accelerators by their number."""
    kind, _, number = device.partition(":")
    return int(number or 0) if kind in ("cuda", "xpu") else kind


def _bitsandbytes(precision: str) -> Any:
    from transformers import BitsAndBytesConfig

    if precision == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")


def _torchao(_precision: str) -> Any:
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return TorchAoConfig(Int8WeightOnlyConfig())


def _quanto(precision: str) -> Any:
    from transformers import QuantoConfig

    return QuantoConfig(weights=precision)


_CONFIGURATIONS: Mapping[str, Callable[[str], Any]] = {
    "bitsandbytes": _bitsandbytes,
    "torchao": _torchao,
    "optimum-quanto": _quanto,
}
