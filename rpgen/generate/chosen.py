"""Which checks a file holds: those that fit the architecture; the others are absent.

Pure. What only the running machine can tell (is there room for a second copy?) the checks
decide themselves.
"""

from rpgen.families import Subfamily

_BOTH = ("bf16", "fp16")
_ONLY_BF16 = frozenset(
    {"t5", "mt5", "umt5", "longt5", "switch_transformers", "gemma", "gemma2", "gemma3"}
    | {"gemma3_text", "gemma3n", "pegasus", "pix2struct"}
)
"""Trained in bfloat16: their states outgrow float16."""

_WITHOUT_ATTENTION = frozenset(
    {"resnet", "convnext", "convnextv2", "regnet", "efficientnet", "mobilenet_v1", "mobilenet_v2"}
    | {"poolformer", "focalnet", "bit", "van", "cvt", "levit", "timm_wrapper", "timm_backbone"}
    | {"mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm", "recurrent_gemma", "fnet", "swiftformer"}
    | {"reformer", "xlnet", "funnel", "transfo-xl", "zamba", "zamba2", "jamba", "bamba"}
)
"""Without attention, or with one of their own that has no second form."""

_STAGED = frozenset({"efficientnet", "timm_wrapper", "timm_backbone", "mobilenet_v1"})
"""Their hidden states are one per block, or none."""


def chosen_checks(
    subfamily: str | None, model_type: str | None, auto_class: str, *, known: bool, gguf: bool
) -> frozenset[str]:
    """Names of the optional checks: files, saving, layers, attention, gradients, memory, cache.

    `known` is False where nothing is known of the architecture. Weights that come out of a
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
    if model_type not in _WITHOUT_ATTENTION:
        chosen.add("attention")
        if auto_class in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
            chosen.add("cache")
    return frozenset(chosen)


def half_precisions(subfamily: str | None, model_type: str | None, known: bool) -> tuple[str, ...]:
    """The half types that a model of this architecture should stand."""
    if not known or subfamily == Subfamily.TEXT_TO_SPEECH:
        return ()
    return _BOTH[:1] if model_type in _ONLY_BF16 else _BOTH
