"""Token ids and what goes with them: masks, types, positions on a page."""

from collections.abc import Callable, Mapping
from typing import Any

from rpgen.models.examples.facts import Facts, figure, part
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.sizes import CODEBOOKS, size_of
from rpgen.models.examples.spec import Spec, fixed, ones, tokens, with_runs, zeros

Made = Mapping[str, Spec]
PLACES: dict[str, tuple[str, ...]] = {
    "image": (
        "image_token_id", "image_token_index", "img_context_token_id", "image_pad_token_id",
        "im_patch_id", "media_token_id", "image_patch_id",
    ),
    "video": ("video_token_id", "video_token_index"),
    "audio": ("audio_token_id", "audio_token_index", "audio_pad_token_id", "audio_token",
              "audio_prompt_token_id"),
}  # fmt: skip
"""How configurations call the token in whose places a kind of input goes."""

_TYPE_OF = {"image": 1, "video": 2, "audio": 3}
_HIGHEST = 1000


def place_token(facts: Facts, kind: str) -> int | None:
    found = figure(facts.config, *PLACES[kind], kinds=(int,))
    spelled: Any = figure(facts.config, "vocabulary_map", kinds=(dict,))
    if spelled and kind == "image":
        found = spelled.get("<image>", found)
    return None if found is None else int(found)


def marks_of_films(facts: Facts) -> tuple[int, int] | None:
    """Between which tokens a film stands, where the configuration names them."""
    found = [
        figure(facts.config, f"video_{end}_token_id", kinds=(int,)) for end in ("start", "end")
    ]
    return None if None in found else (int(found[0]), int(found[1]))


def _below(facts: Facts, situation: Situation, own: int | None = None) -> int:
    highest = min(own or facts.vocabulary, _HIGHEST)
    return max(2, min(highest, situation.ids_below or highest))


def input_ids(facts: Facts, situation: Situation, made: Made) -> Spec:
    """(batch, length), longer by the places of images and sounds, which come after the first."""
    below = _below(facts, situation)
    words = facts.arguments["input_ids"].shape or ()
    rows = situation.batch
    if situation.streams:
        return tokens((rows, situation.length, situation.streams), below)
    if len(words) == 3 and not situation.flat:
        middle = size_of(words[1], facts, situation)
        last = size_of(words[2], facts, situation)
        return tokens((rows, middle, last), below)
    if words and "*" in words[0]:
        return tokens((rows * facts.number(*CODEBOOKS, default=4), situation.length), below)
    runs, start = [], 1
    for kind, count in situation.places.items():
        token = place_token(facts, kind)
        marks = marks_of_films(facts) if kind == "video" and situation.spans else None
        if marks is not None and (token := place_token(facts, "image")) is not None:
            runs += [
                (start, 1, marks[0]),
                (start + 1, count, token),
                (start + 1 + count, 1, marks[1]),
            ]
            start += count + 3
        elif token is not None and count:
            runs.append((start, count, token))
            start += count + 1
    length = situation.length + sum(run[1] for run in runs)
    if "image_embeds_position_mask" in situation.names:
        length += facts.number("latent_query_num", default=1)
    end = figure(facts.config, "eos_token_id", kinds=(int,)) if situation.ended else None
    if end is not None:
        runs.append((length - 1, 1, int(end)))
    return with_runs(tokens((rows, length), below), runs)


def decoder_input_ids(facts: Facts, situation: Situation, made: Made) -> Spec:
    words = facts.arguments["decoder_input_ids"].shape or ()
    own = figure(facts.config, "decoder_vocab_size", kinds=(int,))
    if own is None and (decoder := part(facts.config, "decoder", "decoder_config")) is not None:
        own = figure(decoder, "vocab_size", kinds=(int,))
    below = _below(facts, situation, own)
    codebooks = facts.number(*CODEBOOKS, "num_channels", default=4)
    if words and "*" in words[0]:
        return tokens((situation.batch * codebooks, situation.length), below)
    if situation.layout in (2, 3):
        return tokens((situation.batch, situation.length, codebooks), below)
    return tokens((situation.batch, situation.length), below)


def more_ids(facts: Facts, situation: Situation, made: Made) -> Spec:
    return tokens((situation.batch, situation.length), _below(facts, situation))


def qformer_ids(facts: Facts, situation: Situation, made: Made) -> Spec:
    own = getattr(part(facts.config, "qformer_config"), "vocab_size", None)
    return tokens((situation.batch, situation.length), _below(facts, situation, own))


def mask_of(name: str) -> "Maker":
    """Ones, as many as there are ids in the argument of that name."""

    def maker(facts: Facts, situation: Situation, made: Made) -> Spec:
        ids = made.get(name)
        if ids is not None and len(ids.shape) == 3 and name == "input_ids":
            words = facts.arguments["input_ids"].shape or ()
            choices = len(words) == 3 and "choices" in words[1]
            return ones(*(ids.shape if choices else ids.shape[:2]))
        shape = ids.shape[:2] if ids is not None else (situation.batch, situation.length)
        return ones(*shape)

    return maker


def kinds_of_tokens(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Which tokens stand for an image (1), a video (2) or a sound (3)."""
    ids = made.get("input_ids")
    if ids is None:
        return zeros(situation.batch, situation.length)
    kinds: dict[int, int] = {}
    for kind, number in _TYPE_OF.items():
        token = place_token(facts, kind)
        if token is not None:
            kinds.setdefault(token, number)
    runs, marks = [], marks_of_films(facts) or ()
    for start, count, token in ids.runs:
        film = (start - 1, 1, marks[0]) in ids.runs if marks else False
        runs.append((start, count, _TYPE_OF["video"] if film else kinds.get(token, 0)))
    return with_runs(zeros(*ids.shape), runs)


def segments(facts: Facts, situation: Situation, made: Made) -> Spec:
    ids = made.get("input_ids")
    shape = ids.shape if ids is not None else (situation.batch, situation.length)
    words = facts.arguments["token_type_ids"].shape if facts.has("token_type_ids") else None
    if words and len(words) == 3 and len(shape) == 2:
        return zeros(*shape, size_of(words[2], facts, situation) if words[2].isdigit() else 7)
    return zeros(*shape)


def boxes(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Where each token stands on its page: left, top, right, bottom."""
    ids = made.get("input_ids")
    length = ids.shape[-1] if ids is not None else situation.length
    row = [[10 + 3 * i, 10, 20 + 3 * i, 20] for i in range(length)]
    return fixed([row] * situation.batch)


Maker = Callable[[Facts, Situation, Made], Spec | None]

MAKERS: dict[str, Maker] = {
    "input_ids": input_ids,
    "decoder_input_ids": decoder_input_ids,
    "qformer_input_ids": qformer_ids,
    **dict.fromkeys(
        ("prompt_input_ids", "text_input_ids", "context_input_ids", "protein_input_ids",
         "labels_input_ids", "classes_input_ids", "tasks_input_ids"), more_ids),
    "attention_mask": mask_of("input_ids"),
    "text_attention_mask": mask_of("input_ids"),
    "padding_mask": mask_of("input_ids"),
    "decoder_attention_mask": mask_of("decoder_input_ids"),
    "qformer_attention_mask": mask_of("qformer_input_ids"),
    "encoder_attention_mask": mask_of("input_ids"),
    "token_type_ids": segments,
    "visual_token_type_ids": mask_of("visual_embeds"),
    "mm_token_type_ids": kinds_of_tokens,
    "moe_mm_token_type_ids": kinds_of_tokens,
    "bbox": boxes,
}  # fmt: skip
