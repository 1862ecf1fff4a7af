"""The guide's two compatibility tables as data, and the order of preference they lead to.

The first has a row per model family, the second a row per well-known architecture. Where both
have a row the architecture's wins. A backend that neither names (XPU, say) is unrated: it is
allowed, and comes after the rated ones and before the CPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from rpgen.families import Family
from rpgen.hardware.types import Backend


class Rating(IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True)
class Cell:
    """What a table says of a backend: `supported` is its tick or cross."""

    supported: bool
    rating: Rating | None


@dataclass(frozen=True)
class Row:
    """One row: the family, a cell per backend, and the guide's remark."""

    family: Family
    cells: Mapping[Backend, Cell]
    remark: str
    memory: Rating | None = None  # the column "Memory Priority" of the second table


HIGH, MEDIUM, LOW = (Cell(True, rating) for rating in (Rating.HIGH, Rating.MEDIUM, Rating.LOW))
LOW_NO = Cell(False, Rating.LOW)
NO = Cell(False, None)


def _family_row(family: Family, cells: tuple[Cell, ...], remark: str) -> Row:
    columns = ("cuda", "rocm", "mps", "openvino", "webnn", "webgpu")
    return Row(family, dict(zip(map(Backend, columns), cells, strict=True)), remark)


def _model_row(family: Family, cells: tuple[Cell, ...], memory: Rating, remark: str) -> Row:
    columns = ("cuda", "rocm", "mps", "openvino")
    return Row(family, dict(zip(map(Backend, columns), cells, strict=True)), remark, memory)


FAMILIES: Mapping[Family, Row] = {
    row.family: row
    for row in (
        _family_row(
            Family.TEXT_GENERATION,
            (HIGH, MEDIUM, MEDIUM, LOW, NO, LOW),
            "Memory requirements checked against GPU VRAM",
        ),
        _family_row(
            Family.EMBEDDING,
            (HIGH, HIGH, HIGH, MEDIUM, HIGH, MEDIUM),
            "Efficient on all hardware",
        ),
        _family_row(
            Family.VISION,
            (HIGH, MEDIUM, HIGH, HIGH, MEDIUM, MEDIUM),
            "OpenVINO prioritized when available",
        ),
        _family_row(
            Family.AUDIO,
            (HIGH, MEDIUM, MEDIUM, MEDIUM, NO, NO),
            "CUDA preferred for performance",
        ),
        _family_row(
            Family.MULTIMODAL,
            (HIGH, LOW_NO, LOW_NO, LOW_NO, NO, NO),
            "Typically only fully supported on CUDA",
        ),
    )
}

MODELS: Mapping[str, Row] = {
    "bert": _model_row(
        Family.EMBEDDING, (HIGH, HIGH, HIGH, MEDIUM), Rating.LOW, "Works well on all hardware"
    ),
    "roberta": _model_row(
        Family.EMBEDDING, (HIGH, HIGH, HIGH, MEDIUM), Rating.LOW, "Works well on all hardware"
    ),
    "t5": _model_row(
        Family.TEXT_GENERATION,
        (HIGH, MEDIUM, MEDIUM, LOW_NO),
        Rating.MEDIUM,
        "Needs more memory than embeddings",
    ),
    "gpt2": _model_row(
        Family.TEXT_GENERATION,
        (HIGH, MEDIUM, LOW, LOW_NO),
        Rating.MEDIUM,
        "MPS has performance issues with some operations",
    ),
    "llama": _model_row(
        Family.TEXT_GENERATION,
        (HIGH, MEDIUM, LOW_NO, LOW_NO),
        Rating.HIGH,
        "Requires significant VRAM for larger variants",
    ),
    "vit": _model_row(
        Family.VISION,
        (HIGH, MEDIUM, HIGH, HIGH),
        Rating.LOW,
        "OpenVINO optimized for vision models",
    ),
    "clip": _model_row(
        Family.MULTIMODAL,
        (HIGH, MEDIUM, MEDIUM, LOW),
        Rating.MEDIUM,
        "Vision component works well on MPS",
    ),
    "whisper": _model_row(
        Family.AUDIO,
        (HIGH, MEDIUM, MEDIUM, MEDIUM),
        Rating.MEDIUM,
        "Special handling for audio processing",
    ),
    "llava": _model_row(
        Family.MULTIMODAL,
        (HIGH, LOW_NO, LOW_NO, LOW_NO),
        Rating.HIGH,
        "Typically only fully supported on CUDA",
    ),
}

_ORDER = (Backend.CUDA, Backend.ROCM, Backend.MPS, Backend.OPENVINO, Backend.WEBNN, Backend.WEBGPU)


@dataclass(frozen=True)
class Matrix:
    """Both tables together; another pair can be given to try one out."""

    families: Mapping[Family, Row]
    models: Mapping[str, Row]

    def cell(self, backend: Backend, family: Family | None, model_type: str | None) -> Cell | None:
        """What is said of a backend for this model; None where nothing is."""
        model = self.models.get(model_type or "")
        if model and backend in model.cells:
            return model.cells[backend]
        row = self.families.get(family) if family else None
        return row.cells.get(backend) if row else None

    def priority(self, family: Family | None, model_type: str | None = None) -> tuple[Backend, ...]:
        """The backends worth trying, best first; what is ruled out is left out, CPU is last."""
        rated = [
            (-(cell.rating or 0), place, backend)
            for place, backend in enumerate(_ORDER)
            if (cell := self.cell(backend, family, model_type)) and cell.supported
        ]
        known = [backend for _, _, backend in sorted(rated)]
        if not known:
            known = [b for b in _ORDER if self.cell(b, family, model_type) is None]
        return (*known, Backend.XPU, Backend.CPU)


GUIDE = Matrix(FAMILIES, MODELS)
