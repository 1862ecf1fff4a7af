"""A real tokenizer for a tiny (or random) model: learned in memory, no file, no hub.

Its vocabulary is exactly as large as the configuration says, and the special tokens sit at the
ids that the configuration promises. Byte-level pairs are learned from a small corpus, so that
any text can be encoded and decoded again; what is left of the vocabulary is filled up with
tokens that no text uses. A vocabulary too small for that is one of single characters.
"""

import json
import string
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rpgen.models.quiet import quiet_transformers
from rpgen.models.seams import text_config
from rpgen.models.tiny import writes_text
from rpgen.models.tiny_corpus import CORPUS

_SMALLEST_BYTE_LEVEL = 320
_WITHOUT_FILES = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_target_positions")
_NAMES = {
    "pad": "<pad>", "bos": "<s>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>",
    "cls": "<cls>", "sep": "<sep>",
}  # fmt: skip
_BERT_NAMES = {
    "pad": "[PAD]", "bos": "[BOS]", "eos": "[EOS]", "unk": "[UNK]", "mask": "[MASK]",
    "cls": "[CLS]", "sep": "[SEP]",
}  # fmt: skip


class Style(StrEnum):
    """What stands around a text."""

    ENCODER = "encoder"  # [CLS] text [SEP]
    DECODER = "decoder"  # <s> text, or the bare text where start and end are one token
    SEQ2SEQ = "seq2seq"  # text </s>, with <s> before it where the model has one
    BOTH_ENDS = "both ends"  # <s> text </s>


@dataclass(frozen=True)
class SpecialTokens:
    """`ids`: token to id. `roles`: role (pad, bos, ...) to token. `extra`: further ones."""

    ids: dict[str, int]
    roles: dict[str, str]
    extra: dict[str, str]
    style: Style


def build_tokenizer(config: Any, extra: Collection[str] = ()) -> Any:
    """A tokenizer that agrees with the configuration.

    `extra` asks for further special tokens, by attribute name (`image_token`, which the
    tokenizer then has) or as they are spelled (`<image>`). They sit where the configuration
    says (`image_token_id`), else at free ids.
    """
    import transformers

    text, kind = text_config(config), _class_name(config)
    with quiet_transformers():
        if kind in _WITHOUT_FILES:
            return getattr(transformers, kind)()
        if kind == "Wav2Vec2CTCTokenizer":
            return _letters_tokenizer(text)
        return _learned_tokenizer(config, text, extra)


def reads_characters(config: Any) -> bool:
    """Is its tokenizer one that needs no vocabulary?"""
    return _class_name(config) in _WITHOUT_FILES


def _class_name(config: Any) -> str | None:
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    named: Any = TOKENIZER_MAPPING_NAMES.get(config.model_type)
    found: str | None = named[0] if isinstance(named, tuple) else named
    return found


def special_tokens(config: Any, text: Any, extra: dict[str, int | None]) -> SpecialTokens:
    """Which special tokens there are, and where: as the configuration says, else at free ids."""
    style = _style(config)
    promised = {role: _promised(config, text, role) for role in _NAMES}
    bert = promised["bos"] is None and promised["eos"] is None and style is Style.ENCODER
    names = _BERT_NAMES if bert else _NAMES
    wanted = {"pad", "unk"} | ({"mask"} if style is Style.ENCODER else set())
    if style is Style.ENCODER and promised["bos"] is None:
        wanted |= {"cls"} if promised["eos"] is not None else {"cls", "sep"}
    taken = {i for i in promised.values() if i is not None} | _numbers(extra.values())
    free = _free_ids(taken | _numbers([_whole(text, "decoder_start_token_id")]), text.vocab_size)
    ids: dict[str, int] = {}
    roles: dict[str, str] = {}
    for role, promise in promised.items():
        if promise is None and role not in wanted:
            continue
        place = next(free) if promise is None else promise
        token = next((known for known, i in ids.items() if i == place), names[role])
        ids[token], roles[role] = place, token
    further = {}
    for name, promise in extra.items():
        place = next(free) if promise is None else promise
        token = next((known for known, i in ids.items() if i == place), _spelled(name))
        ids[token] = place
        if name.endswith("_token"):
            further[name] = token
    return SpecialTokens(ids, roles, further, style)


def _learned_tokenizer(config: Any, text: Any, extra: Collection[str]) -> Any:
    from transformers import PreTrainedTokenizerFast

    modal = _modal_tokens(config)
    asked = {name: modal.get(name) for name in sorted(extra)}
    special = special_tokens(config, text, {**modal, **asked})
    size = int(text.vocab_size)
    byte_level = size >= _SMALLEST_BYTE_LEVEL
    backend = _byte_level(special.ids, size) if byte_level else _characters(special, size)
    before, after = _surroundings(special)
    backend.post_processor = _template(before, after, special.ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=_longest(config, text),
        model_input_names=_inputs(text),
        clean_up_tokenization_spaces=False,
        extra_special_tokens={n: t for n, t in special.extra.items() if n in extra},
        **{f"{role}_token": token for role, token in special.roles.items()},
    )


def _style(config: Any) -> Style:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    if getattr(config, "is_encoder_decoder", False):
        return Style.SEQ2SEQ
    if writes_text(config):
        return Style.DECODER
    text = text_config(config)
    if {config.model_type, getattr(text, "model_type", "")} & set(MASKED):
        return Style.ENCODER
    has_ends = getattr(text, "bos_token_id", None) is not None
    return Style.BOTH_ENDS if has_ends else Style.ENCODER


def _surroundings(special: SpecialTokens) -> tuple[list[str], list[str]]:
    roles = special.roles
    start, end = roles.get("bos"), roles.get("eos")
    one_token = start == end
    match special.style:
        case Style.ENCODER:
            return [roles.get("cls") or start or ""], [roles.get("sep") or end or ""]
        case Style.DECODER:
            return [] if one_token or not start else [start], []
        case Style.SEQ2SEQ | Style.BOTH_ENDS:
            return [] if one_token or not start else [start], [end] if end else []


def _template(before: list[str], after: list[str], ids: dict[str, int]) -> Any:
    from tokenizers.processors import TemplateProcessing

    first = [*before, "$A", *after]
    second = ["$B:1", *(f"{token}:1" for token in after)]
    used = [token for token in dict.fromkeys([*before, *after]) if token]
    return TemplateProcessing(
        single=[piece for piece in first if piece],
        pair=[piece for piece in [*first, *second] if piece not in ("", ":1")],
        special_tokens=[(token, ids[token]) for token in used],
    )


def _byte_level(special: dict[str, int], size: int) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=min(size - len(special), 4096),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(CORPUS, trainer)
    learned = json.loads(learner.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    merges: Any = [tuple(m.split(" ") if isinstance(m, str) else m) for m in learned["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=_vocabulary(pieces, special, size), merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


def _characters(special: SpecialTokens, size: int) -> Any:
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
    )

    letters = [" ", *string.ascii_lowercase, *"'.,?!-", *string.digits, *string.ascii_uppercase]
    vocabulary = _vocabulary(letters, special.ids, size)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special.roles["unk"]))
    if letters[-1] not in vocabulary:  # no room for capitals, not for all of them
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special.ids])
    return tokenizer


def _vocabulary(pieces: list[str], special: dict[str, int], size: int) -> dict[str, int]:
    """Every id from 0 to size - 1: the special ones, then the pieces, then fillers."""
    taken = set(special.values())
    places = iter([index for index in range(size) if index not in taken])
    vocabulary = dict(special)
    for piece, place in zip([p for p in pieces if p not in special], places, strict=False):
        vocabulary[piece] = place
    vocabulary.update((f"<unused{place}>", place) for place in places)
    return vocabulary


def _letters_tokenizer(text: Any) -> Any:
    """Letters for speech recognition by CTC; `pad` is the blank, `|` stands between words."""
    from transformers import Wav2Vec2CTCTokenizer

    special = {"<pad>": int(text.pad_token_id or 0)}
    for token, promised in (("<s>", text.bos_token_id), ("</s>", text.eos_token_id)):
        if promised is not None and promised not in special.values():
            special[token] = int(promised)
    free = _free_ids(set(special.values()), text.vocab_size)
    special["<unk>"] = next(free)
    letters = ["|", *string.ascii_uppercase, "'"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.json"
        vocabulary = _vocabulary(letters, special, int(text.vocab_size))
        file.write_text(json.dumps(vocabulary), encoding="utf-8")
        return Wav2Vec2CTCTokenizer(str(file))


def _modal_tokens(config: Any) -> dict[str, int | None]:
    """`image_token` and the like, at the ids that the configuration names them by."""
    found: dict[str, int | None] = {}
    for key, value in vars(config).items():
        for ending in ("_token_id", "_token_index"):
            role = key.removesuffix(ending)
            if key.endswith(ending) and _is_id(value) and role not in _NAMES:
                found[f"{role}_token"] = int(value)
    return found


def _promised(config: Any, text: Any, role: str) -> int | None:
    """The id of a role; of several (some models have several ends) the first."""
    for place in (text, config):
        value: Any = getattr(place, f"{role}_token_id", None)
        value = value[0] if isinstance(value, list | tuple) and value else value
        if _is_id(value) and value < text.vocab_size:
            return int(value)
    return None


def _whole(text: Any, name: str) -> int | None:
    value = getattr(text, name, None)
    return value if _is_id(value) else None


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbers(values: Any) -> set[int]:
    return {value for value in values if value is not None}


def _free_ids(taken: set[int], size: int) -> Iterator[int]:
    return (index for index in range(int(size)) if index not in taken)


def _spelled(name: str) -> str:
    return f"<{name.removesuffix('_token')}>" if name.endswith("_token") else name


def _longest(config: Any, text: Any) -> int:
    """How many tokens fit; two fewer where positions start after the padding's."""
    for name in _POSITIONS:
        length = getattr(text, name, None)
        if isinstance(length, int) and length > 0:
            return length - 2 if length % 8 == 2 else length
    return 512


def _inputs(text: Any) -> list[str]:
    segments = getattr(text, "type_vocab_size", 0) or 0
    return ["input_ids", *(["token_type_ids"] if segments > 1 else []), "attention_mask"]
