"""What transformers' own mappings say about each configuration type.

The model mappings are read from the imported module. The mappings of tokenizers and
processors depend, once imported, on which optional packages are installed; so these are read
from the source text, which is the same everywhere.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXT, IMAGE, VIDEO, AUDIO, SERIES = "text", "image", "video", "audio", "time_series"

MODALITY_OF_ARGUMENT: tuple[tuple[str, str], ...] = (
    ("pixel_values_video", VIDEO),
    ("video", VIDEO),
    ("pixel", IMAGE),
    ("image", IMAGE),
    ("visual_", IMAGE),
    ("flattened_patches", IMAGE),
    ("input_features", AUDIO),
    ("input_values", AUDIO),
    ("audio", AUDIO),
    ("waveform", AUDIO),
    ("speech", AUDIO),
    ("spectrogram", AUDIO),
    ("input_ids", TEXT),
    ("past_values", SERIES),
)
"""The beginning of an argument of `forward` and what it carries; the first match counts."""

_NO_INPUTS = ("_mask", "_length", "_lengths", "_labels")
"""Endings of arguments that describe an input, or say what should come out."""

MODALITIES = (TEXT, IMAGE, VIDEO, AUDIO, SERIES)


@dataclass
class RawType:
    """One configuration type, as transformers describes it."""

    model_type: str
    module: str
    config_class: str
    class_names: dict[str, str] = field(default_factory=dict)  # auto class → model class
    inputs: tuple[str, ...] = ()
    decoder: bool = False  # its forward keeps a cache of keys and values
    wide: tuple[str, ...] = ()  # modules that stay in float32 when fp16 is loaded
    parts: dict[str, str] = field(default_factory=dict)  # attribute → model_type
    processors: dict[str, str] = field(default_factory=dict)  # kind → class
    examples: list[str] = field(default_factory=list)  # ids in the documentation of the type


def read_types() -> dict[str, RawType]:
    """Every configuration type of the installed transformers, in alphabetical order."""
    from transformers.models.auto import configuration_auto

    names: Mapping[str, str] = configuration_auto.CONFIG_MAPPING_NAMES
    found = {
        model_type: RawType(
            model_type, configuration_auto.model_type_to_module_name(model_type), names[model_type]
        )
        for model_type in sorted(names)
    }
    for auto_class, mapping in _model_mappings():
        for model_type, model_class in mapping.items():
            if model_type in found:
                first = model_class if isinstance(model_class, str) else model_class[0]
                found[model_type].class_names[auto_class] = first
    for kind, classes in processor_mappings().items():
        for model_type, class_name in classes.items():
            if model_type in found:
                found[model_type].processors[kind] = class_name
    documented = documented_ids()
    for raw in found.values():
        raw.parts = _parts(raw)
        raw.examples = sorted(documented.get(raw.config_class, ()))
    return found


def documented_ids() -> dict[str, set[str]]:
    """The public ids that transformers itself names for a configuration class, in
    `@auto_docstring(checkpoint=…)`: under which names models of the type are published."""
    import transformers

    found: dict[str, set[str]] = {}
    for path in sorted(Path(str(transformers.__file__)).parent.glob("models/*/configuration_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(_checkpoints(node))
    return found


def _checkpoints(node: ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            match keyword:
                case ast.keyword(arg="checkpoint", value=ast.Constant(value=str() as name)) if name:
                    yield name


def _model_mappings() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each auto class with its mapping of configuration types to class names."""
    from transformers.models.auto import modeling_auto

    for name, auto_class in sorted(vars(modeling_auto).items()):
        if isinstance(auto_class, type) and name.startswith("Auto"):
            mapping = getattr(auto_class, "_model_mapping", None)
            if mapping is not None:
                yield name, mapping._model_mapping


PROCESSOR_SOURCES = {
    "tokenizer": "tokenization_auto.py",
    "processor": "processing_auto.py",
    "image_processor": "image_processing_auto.py",
    "video_processor": "video_processing_auto.py",
    "feature_extractor": "feature_extraction_auto.py",
}


def processor_mappings() -> dict[str, dict[str, str]]:
    import transformers.models.auto as auto

    folder = Path(str(auto.__file__)).parent
    generated = folder / "auto_mappings.py"
    shared = literal_pairs(generated.read_text("utf-8")) if generated.exists() else {}
    result = {}
    for kind, file in PROCESSOR_SOURCES.items():
        name = f"{kind.upper()}_MAPPING_NAMES"
        own = literal_pairs((folder / file).read_text("utf-8"))
        result[kind] = {
            **shared.get(name, {}),
            **own.get(name, {}),
            **own.get(f"MISSING_{name}", {}),
        }
    return result


def literal_pairs(source: str) -> dict[str, dict[str, str]]:
    """The tables `NAME = OrderedDict([("type", "Class"), …])` of a module's source text.

    `"Class" if is_x_available() else None` counts as the class: whether a package is there
    says nothing about the architecture. Of several backends the PIL one is taken, which needs
    no torchvision.
    """
    tables: dict[str, dict[str, str]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if isinstance(value, ast.Call) and value.args and isinstance(value.args[0], ast.List):
            pairs = dict(_pairs(value.args[0]))
            for target in targets:
                if isinstance(target, ast.Name) and pairs:
                    tables[target.id] = pairs
    return tables


def _pairs(items: ast.List) -> Iterator[tuple[str, str]]:
    for item in items.elts:
        if isinstance(item, ast.Tuple) and len(item.elts) == 2:
            key, value = item.elts
            name = _class_name(value)
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and name:
                yield key.value, name


def _class_name(value: ast.expr) -> str | None:
    match value:
        case ast.Constant(value=str() as text):
            return text
        case ast.IfExp(body=body, orelse=orelse):
            return _class_name(body) or _class_name(orelse)
        case ast.Dict(keys=keys, values=values):
            by_name = {
                key.value: _class_name(one)
                for key, one in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
            }
            return by_name.get("pil") or next((one for one in by_name.values() if one), None)
        case ast.Tuple(elts=elts):
            return next((name for one in elts if (name := _class_name(one))), None)
        case _:
            return None


def config_class(raw: RawType) -> Any:
    """The configuration class, from the module of the type or from transformers itself."""
    return _find(raw, raw.config_class)


def model_class(raw: RawType, auto_class: str) -> Any:
    """The model class behind an auto class, None where it can't be imported here."""
    return _find(raw, raw.class_names[auto_class])


def _find(raw: RawType, class_name: str) -> Any:
    import transformers

    for place in (f"transformers.models.{raw.module}", "transformers"):
        try:
            module = importlib.import_module(place) if place != "transformers" else transformers
        except ImportError:
            continue
        found = getattr(module, class_name, None)
        if found is not None and not getattr(type(found), "is_dummy", False):
            return found
    return None


def _parts(raw: RawType) -> dict[str, str]:
    """The configurations inside a configuration, by attribute: `vision_config` → its type,
    "" where any type may stand."""
    sub_configs: Mapping[str, Any] = getattr(_find(raw, raw.config_class), "sub_configs", {}) or {}
    types = (
        (attribute, getattr(part, "model_type", "")) for attribute, part in sub_configs.items()
    )
    return {attribute: one if isinstance(one, str) else "" for attribute, one in types}


def read_inputs(raw: RawType, auto_class: str) -> None:
    """Fill in what the class takes: `inputs` and `decoder`, from the signature of forward."""
    found = model_class(raw, auto_class)
    if found is None:
        return
    raw.wide = tuple(getattr(found, "_keep_in_fp32_modules", None) or ())
    arguments = [name for name in inspect.signature(found.forward).parameters if name != "self"]
    seen = {modality for name in arguments if (modality := modality_of(name))}
    declared = getattr(found, "input_modalities", None)
    stated = {declared} if isinstance(declared, str) else set(declared or ())
    if VIDEO in stated and TEXT not in stated:
        seen = (seen - {IMAGE}) | (stated & set(MODALITIES))
    if seen == {TEXT} and auto_class == "AutoModelForImageTextToText":
        seen |= stated & set(MODALITIES)  # it hands the rest on by name, unseen in its signature
    if not seen:
        main = modality_of(str(getattr(found, "main_input_name", "")))
        seen = (stated & set(MODALITIES)) if stated - {TEXT} else ({main} if main else set())
        if "tokenizer" not in raw.processors and len(seen) > 1:
            seen.discard(TEXT)  # said of clicks and boxes, too: no argument carries ids
    raw.inputs = tuple(one for one in MODALITIES if one in seen)
    raw.decoder = any(name in ("past_key_values", "cache_params") for name in arguments)


def modality_of(argument: str) -> str | None:
    for start, modality in MODALITY_OF_ARGUMENT:
        if argument.startswith(start) and not argument.endswith(_NO_INPUTS):
            return modality
    return None
