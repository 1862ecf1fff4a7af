"""Wrong before the model sees it: tokens, pixels, features."""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.broken.subject import DoesNotApplyError, Subject, change_call

_MEDIA = ("pixel_values", "input_features", "input_values")


def text_cut_after_five_tokens(subject: Subject) -> None:
    _change_tokens(subject, lambda ids: ids[..., :5] if _is_tensor(ids) else _rows(ids, 5))


def last_token_lost(subject: Subject) -> None:
    _change_tokens(subject, lambda ids: ids[..., :-1] if _is_tensor(ids) else _rows(ids, -1))


def ids_out_of_range(subject: Subject) -> None:
    size = len(subject.tokenizer)
    _change_tokens(subject, lambda ids: _mapped(ids, lambda i: i + size), only="input_ids")


def every_word_unknown(subject: Subject) -> None:
    _change_tokens(subject, lambda ids: _mapped(ids, lambda i: min(i, 9)), only="input_ids")


def ids_shifted_by_one(subject: Subject) -> None:
    _change_tokens(subject, lambda ids: _mapped(ids, lambda i: max(i - 1, 0)), only="input_ids")


def mask_all_ones(subject: Subject) -> None:
    _change_tokens(subject, lambda mask: _mapped(mask, lambda i: 1), only="attention_mask")


def special_tokens_left_out(subject: Subject) -> None:
    tokenizer = subject.tokenizer
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    if tokenizer("a")["input_ids"] == bare:
        raise DoesNotApplyError("its texts have no special tokens around them")
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing("$A", "$A $B", [])


def another_padding_token(subject: Subject) -> None:
    tokenizer = subject.tokenizer
    if subject.model.config.get_text_config().pad_token_id is None:
        raise DoesNotApplyError("its configuration names no padding token")
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(40)


def images_not_normalised(subject: Subject) -> None:
    processor = subject.image_processor
    if not getattr(processor, "do_normalize", False):
        raise DoesNotApplyError("its image processor normalises nothing")
    processor.do_normalize = False


def images_not_rescaled(subject: Subject) -> None:
    subject.image_processor.do_rescale = False


def channels_reversed(subject: Subject) -> None:
    _change_media(subject.image_processor, lambda x: x.flip(-3))


def images_upside_down(subject: Subject) -> None:
    _change_media(subject.image_processor, lambda x: x.flip(-2))


def first_image_for_all(subject: Subject) -> None:
    _change_media(subject.image_processor, lambda x: x[:1].expand_as(x))


def images_too_small(subject: Subject) -> None:
    _change_media(subject.image_processor, lambda x: x[..., ::2, ::2])


def sounds_a_thousand_times_louder(subject: Subject) -> None:
    _change_media(subject.feature_extractor, lambda x: x * 1000)


def sounds_backwards(subject: Subject) -> None:
    _change_media(subject.feature_extractor, lambda x: x.flip(-1))


def sounds_not_normalised(subject: Subject) -> None:
    extractor = subject.feature_extractor
    if not getattr(extractor, "do_normalize", False):
        raise DoesNotApplyError("its feature extractor normalises nothing")
    extractor.do_normalize = False


def filters_reversed(subject: Subject) -> None:
    extractor = subject.feature_extractor
    if not hasattr(extractor, "mel_filters"):
        raise DoesNotApplyError("it has no filters")
    extractor.mel_filters = extractor.mel_filters[:, ::-1].copy()


def _change_tokens(subject: Subject, change: Callable[[Any], Any], only: str | None = None) -> None:
    def broken(batch: Any) -> Any:
        for name in ("input_ids", "attention_mask", "token_type_ids"):
            if name in batch and only in (None, name):
                batch[name] = change(batch[name])
        return batch

    change_call(subject.tokenizer, broken)


def _change_media(part: Any, change: Callable[[Any], Any]) -> None:
    def broken(batch: Any) -> Any:
        for name in _MEDIA:
            if name in batch:
                batch[name] = change(torch.as_tensor(batch[name]))
        return batch

    change_call(part, broken)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _rows(ids: Any, stop: int) -> Any:
    return [row[:stop] for row in ids] if ids and isinstance(ids[0], list) else ids[:stop]


def _mapped(ids: Any, change: Callable[[int], int]) -> Any:
    if _is_tensor(ids):
        return torch.tensor([[change(int(i)) for i in row] for row in ids])
    return [_mapped(each, change) if isinstance(each, list) else change(each) for each in ids]


FAULTS = {
    "text cut after five tokens": text_cut_after_five_tokens,
    "the last token lost": last_token_lost,
    "token ids out of range": ids_out_of_range,
    "every word unknown": every_word_unknown,
    "token ids shifted by one": ids_shifted_by_one,
    "a mask of ones": mask_all_ones,
    "special tokens left out": special_tokens_left_out,
    "another padding token": another_padding_token,
    "images not normalised": images_not_normalised,
    "images not rescaled": images_not_rescaled,
    "channels reversed": channels_reversed,
    "images upside down": images_upside_down,
    "the first image for all": first_image_for_all,
    "images too small": images_too_small,
    "sounds 1000 times louder": sounds_a_thousand_times_louder,
    "sounds backwards": sounds_backwards,
    "sounds not normalised": sounds_not_normalised,
    "filters reversed": filters_reversed,
}
