"""Models that write: no look ahead, the cache changes nothing, generation keeps its bounds."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from rpgen.checks.compare import assert_close
from rpgen.checks.elsewhere import cache_must_work
from rpgen.checks.level import scale_now
from rpgen.checks.model import depth_of
from rpgen.checks.running import Inputs, device_of, dtype_of, on, run
from rpgen.checks.tolerance import tolerance_for
from rpgen.models.quiet import quiet_transformers, seeded

_PADDING = 3


def assert_no_look_ahead(
    model: Any, inputs: Inputs, tokens: str = "input_ids", last: int | None = None
) -> None:
    """What follows a position changes nothing before it, wherever the change begins.

    `tokens` names the input whose order is the order of writing; only its `last` tokens are
    changed, by default all but the first (an image may stand before a text).
    """
    given = on(inputs, device_of(model))
    ids = given[tokens]
    length = ids.shape[1]
    changeable = min(last or length, length - 1)
    before = run(model, given).logits
    for start in sorted({length - changeable, length - changeable // 2, length - 1}):
        changed = ids.clone()
        changed[:, start:] = ids[:, length - changeable :].roll(1, 1)[:, start - length :]
        after = run(model, {**given, tokens: changed}).logits
        assert_close(
            after[:, :start],
            before[:, :start],
            f"positions before {start}, where the text was changed",
            model,
        )


def assert_cache_agrees(model: Any, inputs: Inputs, tokens: str = "input_ids") -> None:
    """Fed piece by piece with the cache, the model gives what it gives for the whole text.

    `inputs` are of one length, without padding.
    """
    cache_must_work(model, inputs)
    assert_pieces_agree(model, inputs, pieces_of(inputs[tokens].shape[1]), tokens)


def assert_pieces_agree(
    model: Any,
    inputs: Inputs,
    stops: Sequence[int],
    tokens: str = "input_ids",
    *,
    positions: bool = False,
) -> None:
    """The same for pieces that end where `stops` says, the model told of their `positions` too."""
    given = dict(inputs)
    ids = given.pop(tokens)
    if tokens == "input_ids":
        given.pop("attention_mask", None)
        given.pop("token_type_ids", None)
    whole = run(model, {**given, tokens: ids}).logits
    cache, start = None, 0
    for stop in stops:
        piece = {**given, tokens: ids[:, start:stop]}
        if positions:
            piece["position_ids"] = torch.arange(start, stop)[None]
        outputs = run(model, piece, past_key_values=cache, use_cache=True)
        cache = outputs.past_key_values
        if cache is None:
            raise AssertionError("asked to use a cache, the model returns none")
        expected = whole[:, start:stop]
        assert_close(outputs.logits, expected, f"positions {start} to {stop} with the cache", model)
        start = stop


def pieces_of(length: int) -> list[int]:
    """The first half, some tokens one by one, the rest: where each piece ends."""
    half = max(1, length // 2)
    singles = range(half + 1, min(half + scale_now().pieces, length) + 1)
    return sorted({half, *singles, length})


def assert_generates(model: Any, inputs: Inputs, new_tokens: int, leading: int = 1) -> None:
    """Greedy generation keeps its limit, returns the prompt unchanged, and is the same twice.

    An encoder-decoder model begins with up to `leading` tokens that are not in the prompt; one
    with a `generate()` of its own may begin the prompt in another way, too.
    """
    first = generated(model, inputs, new_tokens)
    prompt = None if model.config.is_encoder_decoder else inputs["input_ids"]
    if prompt is not None and _generates_in_its_own_way(model):
        leading, prompt = prompt.shape[1], None
    start = leading if prompt is None else prompt.shape[1]
    length = first.sequences.shape[1]
    if prompt is not None and first.sequences[:, :start].tolist() != prompt.tolist():
        raise AssertionError("the prompt comes back changed")
    if length <= (0 if prompt is None else start):
        raise AssertionError("nothing was generated")
    if length > start + new_tokens:
        raise AssertionError(
            f"{length - start} new tokens were generated, the limit is {new_tokens}"
        )
    again = generated(model, inputs, new_tokens)
    _assert_same_text(again, first, "the second generation", model)


def _generates_in_its_own_way(model: Any) -> bool:
    return not type(model).generate.__module__.startswith("transformers.generation.")


def assert_generation_ends(model: Any, inputs: Inputs, new_tokens: int) -> None:
    """Generation stops at an end token: a token that it writes is declared to be one."""
    whole = generated(model, inputs, new_tokens).sequences
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    written = whole[0, start:].tolist()
    end = written[min(2, len(written) - 1)]
    stopped = generated(model, inputs, new_tokens, eos_token_id=end, pad_token_id=end)
    wanted = written[: written.index(end) + 1]
    found = stopped.sequences[0, start:].tolist()
    while len(found) > len(wanted) and found[-1] == end:
        found.pop()  # padding, while other rows go on
    if found != wanted:
        raise AssertionError(f"with the end token {end} it wrote {found} instead of {wanted}")


def assert_generation_ignores_cache(model: Any, inputs: Inputs, new_tokens: int) -> None:
    """The text is the same with the cache and without."""
    cached = generated(model, inputs, new_tokens, use_cache=True)
    plain = generated(model, inputs, new_tokens, use_cache=False)
    _assert_same_text(cached, plain, "generation with the cache", model)


def assert_generation_ignores_padding(
    model: Any, encode: Callable[[list[str]], Inputs], prompts: list[str], new_tokens: int
) -> None:
    """Each prompt is continued in a padded batch as it is alone. `encode` pads on the left."""
    batch = encode(prompts)
    width = 1 if model.config.is_encoder_decoder else batch["input_ids"].shape[1]
    together = generated(model, batch, new_tokens)
    for row, prompt in enumerate(prompts):
        single = encode([prompt])
        start = 1 if model.config.is_encoder_decoder else single["input_ids"].shape[1]
        alone = generated(model, single, new_tokens)
        _assert_same_row(
            (together.sequences[row, width:], _row(together.logits, row)),
            (alone.sequences[0, start:], _row(alone.logits, 0)),
            f"{prompt!r} in a padded batch",
            model,
        )


def assert_generation_ignores_left_padding(model: Any, inputs: Inputs, new_tokens: int) -> None:
    """Masked tokens before the prompt change nothing of what is written after it."""
    ids = inputs["input_ids"]
    padded = dict(inputs)
    for name, value in inputs.items():
        if isinstance(value, torch.Tensor) and value.shape == ids.shape:
            padded[name] = torch.cat([torch.zeros_like(value[:, :_PADDING]), value], dim=1)
    padded["input_ids"][:, :_PADDING] = ids[:, -1:]
    alone = generated(model, inputs, new_tokens)
    together = generated(model, padded, new_tokens)
    start = ids.shape[1]
    for row in range(len(ids)):
        _assert_same_row(
            (together.sequences[row, start + _PADDING :], _row(together.logits, row)),
            (alone.sequences[row, start:], _row(alone.logits, row)),
            f"with {_PADDING} masked tokens before the prompt, row {row}",
            model,
        )


def generated(model: Any, inputs: Inputs, new_tokens: int, **options: Any) -> Any:
    """What greedy generation gives, on the model's device, with the logits of each step where the
    model tells them."""
    with seeded(0), torch.inference_mode(), quiet_transformers():
        outputs = model.generate(
            **on(inputs, device_of(model)),
            max_new_tokens=new_tokens,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
            **options,
        )
    if not hasattr(outputs, "sequences"):
        raise AssertionError(f"generate() returned a {type(outputs).__name__} without sequences")
    return outputs


def _row(logits: Any, row: int) -> list[torch.Tensor]:
    return [step[row] for step in logits or ()]


def _assert_same_text(actual: Any, expected: Any, what: str, model: Any) -> None:
    steps = len(expected.logits or ())
    start = expected.sequences.shape[1] - steps
    for row in range(len(expected.sequences)):
        _assert_same_row(
            (actual.sequences[row, start:], _row(actual.logits, row)),
            (expected.sequences[row, start:], _row(expected.logits, row)),
            f"{what}, row {row}",
            model,
        )


def _assert_same_row(
    actual: tuple[torch.Tensor, list[torch.Tensor]],
    expected: tuple[torch.Tensor, list[torch.Tensor]],
    what: str,
    model: Any,
) -> None:
    """The same tokens, up to a step where two tokens are as likely within rounding.

    What follows such a step is another text, and says nothing.
    """
    found, wanted = actual[0].tolist(), expected[0].tolist()
    for step, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one == other:
            continue
        if step < len(expected[1]) and _undecided(expected[1][step], one, other, model):
            return
        raise AssertionError(f"{what}: token {step} is {one} instead of {other}")
    for step, (mine, reference) in enumerate(zip(actual[1], expected[1], strict=False)):
        assert_close(mine, reference, f"{what}: the logits of step {step}", model)


def _undecided(logits: torch.Tensor, one: int, other: int, model: Any) -> bool:
    gap = abs(float(logits[one]) - float(logits[other]))
    return gap <= 2 * tolerance_for(logits, dtype_of(model), depth_of(model)).absolute
