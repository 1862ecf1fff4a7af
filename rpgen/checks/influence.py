"""What a model is given matters: every token and its place, every part of a picture or sound."""

from typing import Any

import torch

from rpgen.checks.compare import assert_different
from rpgen.checks.level import scale_now
from rpgen.checks.outputs import main_output
from rpgen.checks.running import Inputs, device_of, on, run


def assert_every_token_matters(model: Any, inputs: Inputs, tokens: str = "input_ids") -> None:
    """Another token in any place, or two in turned order, changes what the model says.

    Where the output has a position for each token, it must change elsewhere than in the
    position itself: the others have to see it. `inputs` hold one text, without padding. The
    token that ends it stays: what has no end is no text to some models.
    """
    given = on(inputs, device_of(model))
    ids = given[tokens]
    length = ids.shape[1]
    if length < 3:
        raise AssertionError(f"a text of {length} tokens is too short to tell")
    before = main_output(run(model, given))
    places = scale_now().places
    for place in sorted({round(step * (length - 1) / (places - 1)) for step in range(places)}):
        if place == length - 1 and int(ids[0, place]) in _ends(model):
            continue
        changed = ids.clone()
        changed[:, place] = _another(ids, place)
        after = main_output(run(model, {**given, tokens: changed}))
        elsewhere = _without(after, place, length), _without(before, place, length)
        assert_different(*elsewhere, f"token {place} of {length} became another")
    turned = ids.clone()
    first, second = _two_different(ids)
    turned[:, [first, second]] = ids[:, [second, first]]
    after = main_output(run(model, {**given, tokens: turned}))
    assert_different(
        _without(after, second, length)[:, -1:],
        _without(before, second, length)[:, -1:],
        f"tokens {first} and {second} changed places",
    )


def _ends(model: Any) -> set[int]:
    """The tokens that end a text."""
    said = getattr(model.config.get_text_config(), "eos_token_id", None)
    return {each for each in (said if isinstance(said, list) else [said]) if each is not None}


def _another(ids: torch.Tensor, place: int) -> torch.Tensor:
    """A token of the same text that differs from the one at `place`."""
    others = ids[0][ids[0] != ids[0, place]]
    return others[len(others) // 2]


def _two_different(ids: torch.Tensor) -> tuple[int, int]:
    """Two places in the inner part of the text that hold different tokens."""
    length = ids.shape[1]
    first = length // 3
    return first, next(p for p in range(first + 1, length) if ids[0, p] != ids[0, first])


def _without(output: torch.Tensor, place: int, length: int) -> torch.Tensor:
    """The output without a position, unless it is the last, which only itself may see."""
    if output.dim() < 3 or output.shape[1] != length or place == length - 1:
        return output
    return torch.cat([output[:, :place], output[:, place + 1 :]], dim=1)


def assert_every_part_matters(
    model: Any, inputs: Inputs, name: str, *, channels: bool = True
) -> None:
    """Each channel and quarter of a picture, each quarter of a sound changes the result.

    `name` is the input, (..., channels, height, width) for `pixel_values`, else (..., time).
    Without `channels`, of those only the first has to: some models read a grey picture there.
    """
    given = on(inputs, device_of(model))
    before = main_output(run(model, given))
    for what, mask in _parts(given[name], name, channels).items():
        changed = torch.where(mask, -given[name] + 0.5, given[name])
        after = main_output(run(model, {**given, name: changed}))
        assert_different(after, before, f"{what} of {name} was changed")


def _parts(values: torch.Tensor, name: str, channels: bool) -> dict[str, torch.Tensor]:
    masks: dict[str, torch.Tensor] = {}
    if name != "pixel_values":
        for quarter, places in enumerate(torch.arange(values.shape[-1]).chunk(4)):
            mask = torch.zeros_like(values, dtype=torch.bool)
            mask[..., places] = True
            masks[f"quarter {quarter + 1}"] = mask
        return masks
    for channel in range(values.shape[-3] if channels else 1):
        mask = torch.zeros_like(values, dtype=torch.bool)
        mask[..., channel, :, :] = True
        masks[f"channel {channel}"] = mask
    height, width = values.shape[-2] // 2, values.shape[-1] // 2
    for down, rows in (("upper", slice(height)), ("lower", slice(height, None))):
        for across, columns in (("left", slice(width)), ("right", slice(width, None))):
            mask = torch.zeros_like(values, dtype=torch.bool)
            mask[..., rows, columns] = True
            masks[f"the {down} {across} quarter"] = mask
    return masks
