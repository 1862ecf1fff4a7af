"""Tokenizers, image processors, feature extractors: right by themselves, and as saved."""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch

from rpgen.checks.compare import assert_close, assert_same
from rpgen.checks.tensors import named_tensors
from rpgen.models.quiet import quiet_transformers

_SHORT = 6


def assert_part_agrees(part: Any, load: Callable[[], Any], *given: Any, **arguments: Any) -> None:
    """A second load of `part`, and `part` saved and loaded again, give the same tensors.

    `given` and `arguments` are what the part is called with: sounds, text=..., images=...
    """
    kind = type(part).__name__
    here = part(*given, **arguments, return_tensors="pt")
    fresh = _like(load(), part)
    loaded = fresh(*given, **arguments, return_tensors="pt")
    assert_same(here, loaded, f"a second load of the {kind}")
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        part.save_pretrained(folder)
        again = type(part).from_pretrained(folder, local_files_only=True)
    found = _like(again, part)(*given, **arguments, return_tensors="pt")
    assert_same(found, here, f"the {kind}, saved and loaded")


def _like(part: Any, other: Any) -> Any:
    """A tokenizer gets the padding token that was chosen for the one in use."""
    for each, given in ((part, other), *_inner(part, other)):
        if getattr(given, "pad_token", None) and not getattr(each, "pad_token", None):
            each.pad_token = given.pad_token
    return part


def _inner(part: Any, other: Any) -> list[tuple[Any, Any]]:
    return [(part.tokenizer, other.tokenizer)] if hasattr(part, "tokenizer") else []


def assert_tokenizer_fits(tokenizer: Any, model: Any) -> None:
    """Every token has an embedding, and special tokens are where the configuration has them."""
    text = model.config.get_text_config()
    rows = _embeddings(model) or getattr(text, "vocab_size", None)
    largest = max(len(tokenizer) - 1, *tokenizer.all_special_ids)
    if rows is not None and largest >= rows:  # where ids are hashed, all have an embedding
        raise AssertionError(
            f"the tokenizer makes ids up to {largest}, the model has {rows} embeddings"
        )
    places = (text, model.config, getattr(model, "generation_config", None))
    for role in ("bos", "eos", "pad"):
        own = getattr(tokenizer, f"{role}_token_id", None)
        promised = _promised(places, f"{role}_token_id")
        if own is not None and promised and own not in promised:
            raise AssertionError(
                f"{role}_token_id is {own} in the tokenizer, {sorted(promised)} in the"
                " configuration"
            )


def _embeddings(model: Any) -> int | None:
    """How many tokens have an embedding; None for models of several parts that don't tell."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (NotImplementedError, AttributeError):
        return None


def _promised(places: Sequence[Any], name: str) -> set[int]:
    found: set[int] = set()
    for place in places:
        value = getattr(place, name, None)
        several = value if isinstance(value, (list, tuple)) else [value]
        found.update(each for each in several if isinstance(each, int) and each >= 0)
    return found


def assert_round_trip(tokenizer: Any, texts: Sequence[str]) -> None:
    """A text comes back from its tokens; case, blanks and accents may be lost on the way."""
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        back = tokenizer.decode(ids, skip_special_tokens=True)
        if _letters(back) != _letters(text):
            raise AssertionError(f"{text!r} comes back as {back!r}")


def _letters(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum() and each.isascii())


def assert_pads_and_truncates(tokenizer: Any, texts: Sequence[str]) -> None:
    """Padding adds what the mask leaves out and nothing else; truncation keeps its limit."""
    batch = tokenizer(list(texts), padding=True, return_tensors="pt")
    for row, text in enumerate(texts):
        kept = batch["input_ids"][row][batch["attention_mask"][row].bool()].tolist()
        alone = tokenizer(text)["input_ids"]
        if kept != alone:
            raise AssertionError(
                f"{text!r} has {len(alone)} tokens alone; in a padded batch the mask leaves"
                f" {len(kept)}"
            )
    short = tokenizer(texts[0], truncation=True, max_length=_SHORT)["input_ids"]
    if len(short) != min(_SHORT, len(tokenizer(texts[0])["input_ids"])):
        raise AssertionError(f"truncated to {_SHORT} tokens, {texts[0]!r} has {len(short)}")


def assert_reads_images(image_processor: Any, model: Any = None) -> None:
    """Red is in the first channel, dark is below bright, and values are small numbers.

    A processor that says so (`do_flip_channel_order`) has the channels the other way round.
    Each picture of a batch is its own. With a model that takes one size only, the pictures
    come out in that size, unless they keep their own.
    """
    pixels = {name: _pixels(image_processor, [each]) for name, each in _COLOURS.items()}
    together = _pixels(image_processor, list(_COLOURS.values()))
    for row, name in zip(together, _COLOURS, strict=False):
        if len(together) == len(_COLOURS) and row.shape == pixels[name].shape[1:]:
            assert_close(row, pixels[name][0], f"the {name} picture in a batch")
    flipped = bool(getattr(image_processor, "do_flip_channel_order", False))
    order = ("blue", "green", "red") if flipped else ("red", "green", "blue")
    for channel, name in enumerate(order):
        lit = [float((pixels[name] - pixels["black"])[0, c].mean()) for c in range(3)]
        if lit.index(max(lit)) != channel:
            raise AssertionError(
                f"a {name} picture lights channel {lit.index(max(lit))} most, not {channel}:"
                f" are the channels in the order {', '.join(order)}?"
            )
    low, high = float(pixels["black"].min()), float(pixels["white"].max())
    if not 0.5 < high - low < 12:
        raise AssertionError(
            f"from black to white the pixels go from {low:.3g} to {high:.3g}: are they scaled"
            " and normalised?"
        )
    vision = getattr(model.config, "vision_config", model.config) if model is not None else None
    size = getattr(vision, "image_size", None)
    found = tuple(pixels["red"].shape[-2:])
    if _makes_one_size(image_processor) and isinstance(size, int) and found != (size, size):
        raise AssertionError(f"pictures come out as {found}, the model takes {(size, size)}")


def _makes_one_size(image_processor: Any) -> bool:
    """Whether pictures of all proportions come out alike: cut, or fitted into more than the length
    of their longest edge."""
    if getattr(image_processor, "do_center_crop", False):
        return True
    size = getattr(image_processor, "size", None)
    bounded = size is not None and any(size.get(f"{end}est_edge") for end in ("long", "short"))
    return bool(getattr(image_processor, "do_resize", False)) and not bounded


_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}


def _pixels(image_processor: Any, colours: Sequence[tuple[int, int, int]]) -> torch.Tensor:
    """(pictures, channels, height, width) of plain ones; the first piece of what is cut up."""
    from PIL import Image

    pictures = [Image.new("RGB", (96, 64), colour) for colour in colours]
    found: torch.Tensor = image_processor(images=pictures, return_tensors="pt")["pixel_values"]
    rows = len(found) if found.dim() > 3 else 1
    return found.reshape(rows, -1, *found.shape[-3:])[:, 0].float()


def assert_reads_sounds(feature_extractor: Any, sounds: Sequence[Any]) -> None:
    """Features are finite numbers of moderate size, and every sound has its own."""
    rate = feature_extractor.sampling_rate
    features = [
        dict(named_tensors(feature_extractor(s, sampling_rate=rate, return_tensors="pt"), ""))
        for s in sounds
    ]
    for name, tensor in features[0].items():
        if not tensor.is_floating_point():
            continue
        values = tensor.double()
        if not bool(torch.isfinite(values).all()) or float(values.abs().max()) > 100:
            raise AssertionError(f"{name.strip('.')} reaches {float(values.abs().max()):.3g}")
        if float(values.std()) < 1e-3:
            raise AssertionError(f"{name.strip('.')} is the same everywhere")
        for other in features[1:]:
            if other[name].shape == tensor.shape and torch.equal(other[name], tensor):
                raise AssertionError(f"two sounds have the same {name.strip('.')}")
