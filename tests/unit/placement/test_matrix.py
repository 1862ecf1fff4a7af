"""The guide's two tables, cell by cell where a cell decides something."""

import pytest

from rpgen.families import Family
from rpgen.hardware.types import Backend, Device
from rpgen.placement.estimate import CacheShape, Needs, cache_mb, working_mb
from rpgen.placement.matrix import FAMILIES, GUIDE, MODELS, Rating


def test_every_family_has_its_row() -> None:
    assert set(FAMILIES) == set(Family)
    assert all(len(row.cells) == 6 for row in FAMILIES.values())


@pytest.mark.parametrize(
    ("family", "backend", "supported", "rating"),
    [
        (Family.TEXT_GENERATION, "openvino", True, Rating.LOW),
        (Family.TEXT_GENERATION, "webnn", False, None),
        (Family.EMBEDDING, "rocm", True, Rating.HIGH),
        (Family.VISION, "openvino", True, Rating.HIGH),
        (Family.AUDIO, "webgpu", False, None),
        (Family.MULTIMODAL, "cuda", True, Rating.HIGH),
        (Family.MULTIMODAL, "mps", False, Rating.LOW),
    ],
)
def test_family_cells(family: Family, backend: str, supported: bool, rating: Rating | None) -> None:
    cell = FAMILIES[family].cells[Backend(backend)]
    assert (cell.supported, cell.rating) == (supported, rating)


def test_the_architectures_row_wins() -> None:
    assert set(MODELS) == {
        "bert", "roberta", "t5", "gpt2", "llama", "vit", "clip", "whisper", "llava",
    }  # fmt: skip
    clip = GUIDE.cell(Backend.MPS, Family.MULTIMODAL, "clip")
    llava = GUIDE.cell(Backend.MPS, Family.MULTIMODAL, "llava")
    assert clip is not None
    assert clip.supported
    assert llava is not None
    assert not llava.supported
    webnn = GUIDE.cell(Backend.WEBNN, Family.EMBEDDING, "bert")  # the family's: no such column
    assert webnn is not None
    assert webnn.rating is Rating.HIGH
    assert GUIDE.cell(Backend.XPU, Family.EMBEDDING, "bert") is None


def test_priority() -> None:
    bert = GUIDE.priority(Family.EMBEDDING, "bert")
    assert bert[:3] == (Backend.CUDA, Backend.ROCM, Backend.MPS)
    assert bert[-1] is Backend.CPU
    llama = GUIDE.priority(Family.TEXT_GENERATION, "llama")
    assert Backend.MPS not in llama
    vision = GUIDE.priority(Family.VISION)
    assert vision.index(Backend.OPENVINO) < vision.index(Backend.ROCM)
    assert set(GUIDE.priority(None)) >= {Backend.CUDA, Backend.MPS, Backend.CPU}


def test_estimates() -> None:
    cpu = Device(Backend.CPU, 0, "CPU", "cpu", 1000.0)
    assert Needs(family=Family.VISION).estimate("fp32", cpu) is None
    audio = working_mb(Family.AUDIO, 1000, Backend.CPU)
    assert audio > working_mb(Family.EMBEDDING, 1000, Backend.CPU)
    assert working_mb(None, 0, Backend.CUDA) > working_mb(None, 0, Backend.CPU) > 0
    gpt2 = CacheShape(layers=12, kv_heads=12, head_size=64)
    assert cache_mb(gpt2, 1024, "fp16") == 36.0
    assert cache_mb(gpt2, 1024, None) == 72.0
