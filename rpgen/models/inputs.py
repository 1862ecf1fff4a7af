"""Small example inputs, the same every time: sentences, pictures and sounds with structure.

Nothing is constant or empty, because a model that ignores its input would pass on that.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rpgen.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_SENTENCES = (
    "The capital of France is",
    "A photo of a red circle beside a blue square.",
    "If the model works on this machine, it should work on the other one too.",
    "Yes.",
    "Yesterday the train to the coast was forty minutes late, and nobody could say why.",
)

_IGNORED = -100  # a label that no loss counts


def example_sentences(count: int = 3) -> list[str]:
    """Sentences of different length; after the fifth they come again with a number."""
    times, known = divmod(count, len(_SENTENCES))
    again = [f"{text} ({n + 2})" for n in range(times) for text in _SENTENCES]
    return [*_SENTENCES, *again][:count] if times else list(_SENTENCES[:known])


def example_image(size: int | tuple[int, int] = 224, seed: int = 0) -> "Image.Image":
    """An RGB picture of (width, height): a gradient with a disc and a bar in other colours."""
    import numpy as np
    from PIL import Image

    width, height = (size, size) if isinstance(size, int) else size
    draw = np.random.default_rng(seed)
    grid: Any = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    across, down = grid
    slopes = draw.uniform(60, 195, 3)
    picture = np.stack([across * slopes[0], down * slopes[1], (across + down) / 2 * slopes[2]], -1)
    x, y = draw.uniform(0.25, 0.75, 2)
    radius = draw.uniform(0.12, 0.25)
    picture[(across - x) ** 2 + (down - y) ** 2 < radius**2] = draw.integers(120, 256, 3)
    edge = draw.uniform(0.05, 0.7)
    picture[(down > edge) & (down < edge + 0.12)] = draw.integers(0, 120, 3)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def example_sound(seconds: float = 1.0, rate: int = 16_000, seed: int = 0) -> "np.ndarray":
    """Mono float32 in [-1, 1]: a rising tone with two overtones, swelling, over faint noise."""
    import numpy as np

    draw = np.random.default_rng(seed)
    time = np.arange(max(1, round(seconds * rate))) / rate
    low, high = draw.uniform(110, 220), draw.uniform(600, 1200)
    phase = 2 * np.pi * (low * time + (high - low) * time**2 / (2 * max(seconds, 1e-3)))
    tone = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)
    swell = 0.35 + 0.25 * np.sin(2 * np.pi * 3 * time)
    noise = draw.normal(0, 0.01, time.size)
    sound: np.ndarray = np.clip(tone * swell / 1.6 + noise, -1, 1).astype(np.float32)
    return sound


def text_inputs(tokenizer: Any, count: int = 2, **options: Any) -> Any:
    """A padded batch of sentences as tensors: input_ids and attention_mask are (count, n)."""
    padding = tokenizer.pad_token is not None
    sentences = example_sentences(count if padding else 1)
    return tokenizer(sentences, return_tensors="pt", padding=padding, **options)


def image_inputs(image_processor: Any, count: int = 2, seed: int = 0, **options: Any) -> Any:
    """A batch of pictures; for most models pixel_values (count, channels, height, width)."""
    pictures = [example_image(seed=seed + index) for index in range(count)]
    return image_processor(images=pictures, return_tensors="pt", **options)


def audio_inputs(feature_extractor: Any, count: int = 2, seed: int = 0, **options: Any) -> Any:
    """A batch of one-second sounds: input_values (count, samples) or input_features."""
    rate = getattr(feature_extractor, "sampling_rate", 16_000)
    sounds = [example_sound(1.0, rate, seed + index) for index in range(count)]
    return feature_extractor(sounds, sampling_rate=rate, return_tensors="pt", **options)


def joint(processor: Any, kinds: tuple[str, ...] = ("text", "image"), seed: int = 0) -> Any:
    """One call with several kinds of input, through the joint processor of a model.

    Where the processor marks the place of an image or a sound in the text with a token, each
    text carries it. Beside images and sounds the text is the same for every seed, so that
    examples can share a batch. Raises UsageError for pictures that the processor doesn't take.
    """
    if "image" in kinds and not hasattr(processor, "image_processor"):
        name, wanted = type(processor).__name__, " and ".join(kinds)
        raise UsageError(f"{name} does not take {wanted} in one call: write encode() by hand")
    given: dict[str, Any] = {}
    alone = not {"image", "audio"} & set(kinds)
    text = _SENTENCES[seed % len(_SENTENCES)] if alone else "What is shown here?"
    if "image" in kinds:
        given["images"] = [example_image(seed=seed)]
        text = _marker(processor, "image_token") + text
    if "audio" in kinds:
        rate = getattr(getattr(processor, "feature_extractor", None), "sampling_rate", 16_000)
        given["audio"] = [example_sound(1.0, rate, seed)]
        given["sampling_rate"] = rate
        text = _marker(processor, "audio_token") + text
    if "text" in kinds:
        given["text"] = [text]
    return without_empty_labels(processor(**given, return_tensors="pt", padding=True))


def without_empty_labels(inputs: Any) -> Any:
    """Labels that ask for nothing are left out: their loss is the mean of no values."""
    if "labels" in inputs and bool((inputs["labels"] == _IGNORED).all()):
        del inputs["labels"]
    return inputs


def _marker(processor: Any, name: str) -> str:
    token = getattr(processor, name, None)
    return token if isinstance(token, str) else ""


def moved(inputs: Mapping[str, Any], device: str, dtype: Any = None) -> dict[str, Any]:
    """The tensors on a device; floating ones also in the dtype. What is no tensor stays."""
    return {
        name: _moved(value, device, dtype) if hasattr(value, "to") else value
        for name, value in inputs.items()
    }


def _moved(tensor: Any, device: str, dtype: Any) -> Any:
    floating = dtype is not None and tensor.is_floating_point()
    return tensor.to(device, dtype) if floating else tensor.to(device)
