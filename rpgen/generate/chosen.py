"""Which checks a file holds: those that fit the architecture; the others are absent.

Pure. What only the running machine can tell (is there room for a second copy?) the checks
decide themselves.
"""

from rpgen.families import Subfamily

PRECISIONS = ("bf16", "fp16")

_FOR_ALL = ("alone", "continued alone", "look_ahead", "ends", "cached generation", "channels")
"""What its neighbours and its padding do to a text or a picture, what follows does to a text, and
that an end token ends it, with the cache as without; whether a picture has colours."""

_STAGED = frozenset({"efficientnet", "timm_wrapper", "timm_backbone", "mobilenet_v1"})
"""Their hidden states are one per block, or none."""


def chosen_checks(
    subfamily: str | None,
    model_type: str | None,
    auto_class: str,
    *,
    known: bool,
    gguf: bool,
) -> frozenset[str]:
    """Names of the optional checks: files, saving, layers, attention, gradients, memory, cache,
    and those that are chosen for all.

    `known` is False where nothing is known of the architecture. Weights that come out of a
    `gguf` file can't be saved again, and its tokenizer takes long to read a second time.
    """
    files = set() if gguf else {"files", "saving"}
    if not known:
        return frozenset({*files, *_FOR_ALL})
    if subfamily == Subfamily.TEXT_TO_SPEECH:
        return frozenset({*files, *_FOR_ALL} - {"saving"})
    chosen = {*files, *_FOR_ALL, "gradients", "memory"}
    joint = subfamily == Subfamily.IMAGE_TEXT_ENCODER
    if not joint and model_type not in _STAGED:
        chosen.add("layers")
    chosen.add("attention")
    if auto_class in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
        chosen.add("cache")
    return frozenset(chosen)


def half_precisions(subfamily: str | None, known: bool) -> tuple[str, ...]:
    """The half types that a model of this architecture should stand."""
    if not known or subfamily == Subfamily.TEXT_TO_SPEECH:
        return ()
    return PRECISIONS
