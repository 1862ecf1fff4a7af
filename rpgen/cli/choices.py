"""What options offer to choose from; the library has its own, which costs more to import."""

from enum import StrEnum


class Weights(StrEnum):
    """Where a test gets its weights from."""

    AUTO = "auto"
    PRETRAINED = "pretrained"
    RANDOM = "random"
    TINY = "tiny"


class Dtype(StrEnum):
    """The precision a test runs in."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


class Engine(StrEnum):
    """Where the workers are."""

    LOCAL = "local"
    RAY = "ray"


class Level(StrEnum):
    """How thorough the checks are."""

    MINIMAL = "minimal"
    NORMAL = "normal"
    THOROUGH = "thorough"
