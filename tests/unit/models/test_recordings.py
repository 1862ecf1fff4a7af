"""Recordings are read as what they are, or refused with the remedy."""

import wave
from pathlib import Path

import numpy as np
import pytest

from rpgen.errors import UsageError
from rpgen.models.inputs import example_sound
from rpgen.models.recordings import read_wav


def write(path: Path, sound: np.ndarray, rate: int = 16_000, channels: int = 1) -> Path:
    samples = np.repeat((sound * 32_767).astype("<i2"), channels)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_comes_back(tmp_path: Path, channels: int) -> None:
    sound = example_sound(0.1)
    found = read_wav(write(tmp_path / "a.wav", sound, channels=channels), 16_000)
    assert found.dtype == np.float32
    assert np.abs(found - sound).max() < 1e-3


def test_another_rate_and_another_format_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", example_sound(0.1, 8_000), rate=8_000)
    with pytest.raises(UsageError, match=r"at 8000 Hz.*ffmpeg -i a.wav -ar 16000"):
        read_wav(path, 16_000)
    path.write_bytes(b"fLaC....")
    with pytest.raises(UsageError, match="is no wav file"):
        read_wav(path, 16_000)
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="is no wav file"):
        read_wav(path, 16_000)
