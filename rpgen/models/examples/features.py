"""How many tokens an image, a video or a sound takes in a text: asked of the model itself."""

import inspect
from collections.abc import Mapping
from typing import Any

from rpgen.models.examples.facts import Facts
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.spec import Spec, draw

_GETTERS: Mapping[str, tuple[str, frozenset[str]]] = {
    "image": ("get_image_features", frozenset({"pixel_values"})),
    "video": ("get_video_features", frozenset({"pixel_values_videos"})),
    "audio": ("get_audio_features", frozenset({"input_features", "input_values"})),
}


_PICTURES_OF_ROWS = 5  # axes, where each row has several pictures


def places(facts: Facts, situation: Situation, specs: Mapping[str, Spec]) -> dict[str, int]:
    """Tokens a row for each kind whose features the model gives out.

    A kind whose features can't be had like this is left out: the error of `forward` will say
    how many it wants.
    """
    found: dict[str, int] = {}
    for kind, (name, inputs) in _GETTERS.items():
        getter = _getter(facts.model, name, inputs)
        if getter is None or not inputs & set(specs):
            continue
        count = _count(getter, facts, specs)
        if count:
            found[kind] = count // situation.batch
    codes = specs.get("audio_input_ids")
    if codes is not None and len(codes.shape) == 3:  # of all codebooks together, for each place
        found.setdefault("audio", codes.shape[1])
    return found


def _getter(model: Any, name: str, inputs: frozenset[str]) -> Any:
    """The method of the outermost module that has it and names one of the inputs."""
    for part in model.modules():
        found = getattr(part, name, None)
        if found is not None and inputs & set(inspect.signature(found).parameters):
            return found
    return None


def _count(getter: Any, facts: Facts, specs: Mapping[str, Spec]) -> int:
    import torch

    known = inspect.signature(getter).parameters
    given = {n: s for n, s in specs.items() if n in known and "input_ids" not in n}
    given.pop("attention_mask", None)
    inputs = draw(given, 0, facts.special_ids())
    as_batch = {
        n: v.flatten(0, 1) if v.dim() == _PICTURES_OF_ROWS else v for n, v in inputs.items()
    }
    for form in (inputs, as_batch) if as_batch.keys() else ():
        try:
            with torch.inference_mode():
                return _rows(getter(**form))
        except Exception:  # noqa: BLE001, S112 (any error: forward tells more, and is asked next)
            continue
    return 0


def _rows(output: Any) -> int:
    import torch

    pooled = getattr(output, "pooler_output", None)
    if not isinstance(output, torch.Tensor) and pooled is not None:
        output = pooled
    if isinstance(output, torch.Tensor):
        return output.numel() // output.shape[-1] if output.dim() else 0
    if isinstance(output, list | tuple):
        return sum(_rows(each) for each in output)
    return 0
