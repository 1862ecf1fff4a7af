"""Packages that some architectures need and that can't be installed here, each with the why."""

from collections.abc import Iterable, Mapping

WHY: Mapping[str, str] = {
    "detectron2": "the index has none",
    "natten": "no wheel has natten2dav, and an older one's source takes over an hour to build",
    "timm": "imports torchvision, which is published for CUDA alone",
    "torchaudio": "is published for CUDA alone",
}
"""By name; a package without an entry is named alone."""


def told(packages: Iterable[str]) -> str:
    """In a few words, for a sentence in brackets."""
    return "; ".join(f"{name}: {WHY[name]}" if name in WHY else name for name in sorted(packages))
