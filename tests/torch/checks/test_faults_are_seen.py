"""Every fault of the benchmark once, on one model that it applies to; healthy files pass.

The benchmark (`python -m benchmarks faults`) takes every fault on every model.
"""

from functools import cache

import pytest
import torch

from benchmarks.broken import bench
from benchmarks.faults import UNSEEN_BECAUSE

FAST = ("bert", "gpt2", "whisper", "wav2vec2", "clip", "t5", "vit")
PAIRS = [(kind, fault) for kind, faults in bench.FAULTS.items() for fault in faults]


@cache
def file_of(model: str) -> bench.File:
    return bench.File(model)


@pytest.fixture(autouse=True)
def _one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_there_are_many_faults_of_every_kind() -> None:
    assert len(PAIRS) >= 40
    assert len({fault for _, fault in PAIRS}) == len(PAIRS)
    assert set(UNSEEN_BECAUSE) <= {fault for _, fault in PAIRS}


@pytest.mark.parametrize(("kind", "fault"), PAIRS, ids=[fault for _, fault in PAIRS])
def test_a_fault_is_seen(kind: str, fault: str) -> None:
    start = PAIRS.index((kind, fault))
    turned = FAST[start % len(FAST) :] + FAST[: start % len(FAST)]
    findings = (bench.try_fault(file_of(model), kind, fault) for model in turned)
    found = next(finding for finding in findings if finding.applies)
    if not found.seen_by:
        assert fault in UNSEEN_BECAUSE, f"{fault} on {found.model} is not seen"


@pytest.mark.parametrize("model", bench.MODELS)
def test_a_healthy_model_gives_no_alarm(model: str) -> None:
    file = file_of(model)
    assert file.failing(file.subject()) == {}
