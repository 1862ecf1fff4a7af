"""Which checks a file holds: those that fit the architecture; the others are absent.

Pure. What only the running machine can tell (is there room for a second copy?) the checks
decide themselves.
"""

from collections.abc import Collection

from rpgen.families import Subfamily

PRECISIONS = ("bf16", "fp16")

_STAGED = frozenset({"efficientnet", "timm_wrapper", "timm_backbone", "mobilenet_v1"})
"""Their hidden states are one per block, or none."""


def chosen_checks(
    subfamily: str | None,
    model_type: str | None,
    auto_class: str,
    *,
    known: bool,
    gguf: bool,
    never: Collection[str] = (),
) -> frozenset[str]:
    """Names of the optional checks: files, saving, layers, attention, gradients, memory, cache.

    `known` is False where nothing is known of the architecture; `never` are checks that say
    nothing about it, such as `attention` where it has none. Weights that come out of a
    `gguf` file can't be saved again, and its tokenizer takes long to read a second time.
    """
    files = set() if gguf else {"files", "saving"}
    if not known:
        return frozenset(files)
    if subfamily == Subfamily.TEXT_TO_SPEECH:
        return frozenset(files - {"saving"})
    chosen = {*files, "gradients", "memory"}
    joint = subfamily == Subfamily.IMAGE_TEXT_ENCODER
    if not joint and model_type not in _STAGED:
        chosen.add("layers")
    chosen.add("attention")
    if auto_class in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
        chosen.add("cache")
    return frozenset(chosen.difference(never))


def half_precisions(
    subfamily: str | None, known: bool, never: Collection[str] = ()
) -> tuple[str, ...]:
    """The half types that a model of this architecture should stand."""
    if not known or subfamily == Subfamily.TEXT_TO_SPEECH:
        return ()
    return tuple(each for each in PRECISIONS if each not in never)
