"""Wrong meaning: the shapes are right, the numbers are numbers, and the answer is another."""

from typing import Any

import torch

from benchmarks.broken.subject import (
    DoesNotApplyError,
    Subject,
    change_input,
    change_output,
    stacks,
)

_MEDIA = ("pixel_values", "input_features", "input_values")


def mask_ignored(subject: Subject) -> None:
    if subject.name not in ("bert", "MiniLM", "gpt2", "t5", "clip", "llava"):
        raise DoesNotApplyError("its inputs come without a mask")

    def without(given: dict[str, Any]) -> dict[str, Any]:
        mask = given.get("attention_mask")
        return given if mask is None else {**given, "attention_mask": torch.ones_like(mask)}

    change_input(subject.model, without)


def future_leaks(subject: Subject) -> None:
    if not subject.writes:
        raise DoesNotApplyError("it reads in both directions")
    change_output(subject.layers[0], lambda y: y + 0.05 * y.roll(-1, 1))


def rows_mixed(subject: Subject) -> None:
    change_output(subject.model, lambda y: y + 0.05 * y.roll(1, 0))


def rows_reversed(subject: Subject) -> None:
    change_output(subject.model, lambda y: y.flip(0))


def first_row_for_all(subject: Subject) -> None:
    change_output(subject.model, lambda y: y[:1].expand_as(y))


def answer_of_the_first_run(subject: Subject) -> None:
    """What was computed first is returned for every input of the same shape."""
    kept: dict[tuple[int, ...], Any] = {}
    change_output(subject.model, lambda y: kept.setdefault(tuple(y.shape), y))


def cache_loses_an_entry(subject: Subject) -> None:
    _with_cache(subject, lambda cache: cache.crop(cache.get_seq_length() - 1))


def cache_ignored(subject: Subject) -> None:
    """Earlier text is forgotten: each piece is read as if it were the first."""
    if not subject.writes:
        raise DoesNotApplyError("it has no cache")
    change_input(subject.model, lambda given: {**given, "past_key_values": None})


def input_ignored(subject: Subject) -> None:
    def constant(given: dict[str, Any]) -> dict[str, Any]:
        name = next(n for n in (*_MEDIA, "input_ids") if given.get(n) is not None)
        fixed = torch.zeros_like if name in _MEDIA else torch.ones_like
        return {**given, name: fixed(given[name])}

    if subject.name == "llava":
        raise DoesNotApplyError("without the tokens that stand for the image it stops by itself")
    change_input(subject.model, constant)


def image_or_sound_ignored(subject: Subject) -> None:
    """Of two things that belong together only one is looked at."""
    if subject.name not in ("clip", "llava", "whisper"):
        raise DoesNotApplyError("it takes one kind of input")
    _change_media(subject, torch.zeros_like)


def half_of_image_or_sound_ignored(subject: Subject) -> None:
    def cut(values: Any) -> Any:
        values = values.clone()
        values[..., values.shape[-1] // 2 :] = 0
        return values

    _change_media(subject, cut)


def text_read_to_the_fifth_token(subject: Subject) -> None:
    if subject.name not in ("bert", "MiniLM", "gpt2", "t5"):
        raise DoesNotApplyError("text is not all that it reads")

    def cut(given: dict[str, Any]) -> dict[str, Any]:
        ids = given.get("input_ids")
        if ids is None or ids.shape[1] < 6:
            return given
        ids = ids.clone()
        ids[:, 5:] = 7
        return {**given, "input_ids": ids}

    change_input(subject.model, cut)


def source_ignored(subject: Subject) -> None:
    """The decoder doesn't listen to the encoder."""
    if subject.name not in ("t5", "whisper"):
        raise DoesNotApplyError("it has no encoder beside its decoder")
    encoder = subject.model.get_encoder()
    change_output(encoder, lambda y: torch.zeros_like(y))


def pooled_from_the_wrong_token(subject: Subject) -> None:
    model = subject.model
    if subject.name == "vit":
        change_output(model.vit.layernorm, lambda y: y.roll(-1, 1))
    elif subject.name == "clip":
        change_output(model.text_model.final_layer_norm, lambda y: y.roll(1, 1))
    elif subject.name == "MiniLM":
        pool = subject.namespace["sentence_embedding"]

        def with_padding(outputs: Any, mask: Any, *how: Any, **more: Any) -> Any:
            return pool(outputs, torch.ones_like(mask), *how, **more)

        subject.namespace["sentence_embedding"] = with_padding
    else:
        raise DoesNotApplyError("it pools nothing")


def layers_in_another_order(subject: Subject) -> None:
    for stack in stacks(subject.model)[:1]:
        first, second = stack[0], stack[1]
        first.forward, second.forward = second.forward, first.forward


def _with_cache(subject: Subject, damage: Any) -> None:
    if not subject.writes:
        raise DoesNotApplyError("it has no cache")

    def broken(given: dict[str, Any]) -> dict[str, Any]:
        cache = given.get("past_key_values")
        own = getattr(cache, "self_attention_cache", cache)
        if own is not None and own.get_seq_length() > 0:
            damage(own)
        return given

    change_input(subject.model, broken)


def _change_media(subject: Subject, change: Any) -> None:
    name = subject.model.main_input_name
    if subject.name in ("clip", "llava"):
        name = "pixel_values"
    if name not in _MEDIA:
        raise DoesNotApplyError("it reads text only")

    def changed(given: dict[str, Any]) -> dict[str, Any]:
        return given if given.get(name) is None else {**given, name: change(given[name])}

    change_input(subject.model, changed)


FAULTS = {
    "the attention mask ignored": mask_ignored,
    "the future leaks": future_leaks,
    "rows of a batch mixed": rows_mixed,
    "rows of a batch reversed": rows_reversed,
    "the first row for all rows": first_row_for_all,
    "the answer of the first run for every input": answer_of_the_first_run,
    "the cache loses its last entry": cache_loses_an_entry,
    "the cache ignored": cache_ignored,
    "the input ignored": input_ignored,
    "image or sound ignored": image_or_sound_ignored,
    "half of the image or sound ignored": half_of_image_or_sound_ignored,
    "text read to the fifth token only": text_read_to_the_fifth_token,
    "the decoder ignores the encoder": source_ignored,
    "pooled from the wrong token": pooled_from_the_wrong_token,
    "layers in another order": layers_in_another_order,
}
