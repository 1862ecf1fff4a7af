"""Load a model, a tokenizer or a processor from files, or build a model from a configuration.

Every load is from a folder and never touches the network; fetching comes before. Nothing
global is changed: see `quiet`. An error that speaks of memory passes through as it is, for the
pool to recognise.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rpgen.errors import MissingPackageError, ModelUnavailableError, UsageError
from rpgen.models.awake import UNTRAINED, awaken
from rpgen.models.quiet import quiet_transformers, seeded
from rpgen.models.timm_parts import wrapped_parts

SEED = 20_241
"""The seed of random and tiny weights: the same model every time."""

_TORCH_NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_INFO_KEYS = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")


def model_class(auto_class: str) -> Any:
    """`AutoModelForMaskedLM` or a class of one architecture, by name. Raises UsageError."""
    import transformers

    found = getattr(transformers, auto_class, None)
    if not isinstance(found, type) or not hasattr(found, "from_pretrained"):
        raise UsageError(f"transformers has no model class {auto_class!r}")
    return found


def torch_dtype(dtype: str | None, device: str) -> Any:
    """The dtype to load in: None is the checkpoint's own, on a CPU fp32."""
    import torch

    if dtype is None:
        return torch.float32 if device == "cpu" else "auto"
    if dtype not in _TORCH_NAMES:
        raise UsageError(
            f"{dtype!r} is not a precision that this can be loaded in: write fp32, fp16 or bf16"
        )
    return getattr(torch, _TORCH_NAMES[dtype])


def pretrained_model(
    folder: Path,
    auto_class: str,
    *,
    device: str = "cpu",
    dtype: str | None = None,
    gguf: str | None = None,
    trust_remote_code: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """The model with its trained weights, in eval mode, `rpgen_loading_info` attached."""
    arguments = _arguments(gguf, trust_remote_code)
    with loading(str(folder), gguf is not None):
        model, info = model_class(auto_class).from_pretrained(
            str(folder),
            output_loading_info=True,
            dtype=torch_dtype(dtype, device),
            **arguments,
            **(options or {}),
        )
    model.rpgen_loading_info = plain_report(info)
    return model.eval().to(device)


def built_model(
    config: Any,
    auto_class: str,
    *,
    device: str = "cpu",
    dtype: str | None = None,
    trust_remote_code: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """A model with weights from the seed, in eval mode. Always made in fp32, then cast."""
    import torch

    wanted = torch_dtype(dtype or "fp32", device)
    with loading(str(config.model_type)), seeded(SEED):
        model = from_config(config, auto_class, trust_remote_code, options or {})
    awaken(model, SEED, *(getattr(config, name, None) for name in UNTRAINED))
    give_forward(model)
    model.rpgen_loading_info = dict.fromkeys(_INFO_KEYS, ())
    if wanted is not torch.float32:
        model = model.to(wanted)
    return model.eval().to(device)


def give_forward(model: Any) -> None:
    """A part that is only asked to encode has no `forward`: then that is what it does."""
    import torch

    if type(model).forward is torch.nn.Module.forward and hasattr(model, "encode"):
        model.forward = model.encode


def count_parameters(config: Any, auto_class: str, trust_remote_code: bool = False) -> int:
    """Parameters of the model that a configuration describes, without making any weight."""
    import torch

    with quiet_transformers(), torch.device("meta"):
        model = from_config(config, auto_class, trust_remote_code, {})
    return sum(parameter.numel() for parameter in model.parameters())


def load_config(folder: Path, gguf: str | None = None, trust_remote_code: bool = False) -> Any:
    from transformers import AutoConfig

    with loading(str(folder), gguf is not None):
        return AutoConfig.from_pretrained(str(folder), **_arguments(gguf, trust_remote_code))


def load_part(
    loader: str, folder: Path, gguf: str | None = None, trust_remote_code: bool = False
) -> Any:
    """AutoTokenizer, AutoProcessor, AutoImageProcessor or AutoFeatureExtractor, by name.

    Images are processed by Pillow everywhere, so that two machines get the same pixels.
    """
    import transformers

    arguments = _arguments(gguf, trust_remote_code)
    if loader == "AutoImageProcessor":
        arguments["backend"] = "pil"
    with loading(str(folder), gguf is not None):
        part = getattr(transformers, loader).from_pretrained(str(folder), **arguments)
        inner = getattr(part, "image_processor", None)
        if inner is not None and getattr(inner, "backend", "pil") != "pil":
            part.image_processor = transformers.AutoImageProcessor.from_pretrained(
                str(folder), **arguments, backend="pil"
            )
    return part


@contextmanager
def loading(what: str, is_gguf: bool = False) -> Iterator[None]:
    """Turns what the libraries raise for broken files into ModelUnavailableError."""
    import torch
    from safetensors import SafetensorError

    memory = (MemoryError, torch.OutOfMemoryError)
    try:
        with quiet_transformers():
            yield
    except memory:
        raise
    except ImportError as error:
        extra = ": pip install 'rpgen[gguf]'" if is_gguf else ""
        raise MissingPackageError(f"{what} needs a package: {_line(error)}{extra}") from error
    except (OSError, ValueError, KeyError, AttributeError, EOFError, SafetensorError) as error:
        if "trust_remote_code" in str(error):
            raise ModelUnavailableError(
                f"{what} comes with code of its own, which is not run unasked: look at it, then "
                "set trust_remote_code"
            ) from error
        raise ModelUnavailableError(f"{what} can't be loaded: {_line(error)}") from error
    except Exception as error:
        if type(error) is Exception:  # what the tokenizers library raises
            raise ModelUnavailableError(f"{what} can't be loaded: {_line(error)}") from error
        raise


def _arguments(gguf: str | None, trust_remote_code: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    if gguf:
        arguments["gguf_file"] = gguf
    return arguments


def from_config(
    config: Any, auto_class: str, trust_remote_code: bool, options: Mapping[str, Any]
) -> Any:
    """A model as its constructor makes it: in training mode, on torch's default device."""
    if any(wrapped_parts(config)):
        from rpgen.models.timm_stand_in import register_for

        register_for(config)
    chosen = model_class(auto_class)
    if not hasattr(chosen, "from_config"):
        return chosen._from_config(part_for(chosen, config), **options)
    try:
        return chosen.from_config(config, trust_remote_code=trust_remote_code, **options)
    except ValueError as error:
        unlisted = _unlisted_class(config, error)
        if unlisted is None:
            raise
        return unlisted._from_config(config, **options)


def part_for(chosen: Any, config: Any) -> Any:
    """The configuration itself, or that part of it which a model class is made for."""
    kind = chosen.config_class
    if kind is None or isinstance(config, kind):
        return config
    return next((part for part in vars(config).values() if isinstance(part, kind)), config)


def _unlisted_class(config: Any, error: ValueError) -> Any:
    """A class that transformers' mapping names and its package does not export; else None."""
    found = re.search(r"Could not find (\w+) neither in", str(error))
    module = type(config).__module__.replace("configuration_", "modeling_")
    return getattr(importlib.import_module(module), found[1], None) if found else None


def plain_report(info: Any) -> dict[str, tuple[Any, ...]]:
    """The loading report of any transformers version as sorted tuples."""
    found = info if isinstance(info, Mapping) else vars(info)
    return {key: tuple(sorted(found.get(key) or (), key=str)) for key in _INFO_KEYS}


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
