"""Recordings from files, for what a speech model is expected to hear in them."""

import wave
from pathlib import Path
from typing import TYPE_CHECKING

from rpgen.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


def read_wav(path: Path, rate: int) -> "np.ndarray":
    """Mono float32 in [-1, 1] of a wav file with 16-bit samples at `rate`. Raises UsageError."""
    import numpy as np

    try:
        with wave.open(str(path), "rb") as file:
            width, found = file.getsampwidth(), file.getframerate()
            channels, frames = file.getnchannels(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise UsageError(f"{path} is no wav file that can be read: {error}") from error
    if width != 2 or found != rate:
        raise UsageError(
            f"{path} has {8 * width}-bit samples at {found} Hz, 16-bit ones at {rate} Hz are"
            f" needed: ffmpeg -i {path.name} -ar {rate} -sample_fmt s16 new.wav"
        )
    samples = np.frombuffer(frames, dtype="<i2").reshape(-1, channels).mean(axis=1)
    sound: np.ndarray = (samples / 2**15).astype(np.float32)
    return sound
