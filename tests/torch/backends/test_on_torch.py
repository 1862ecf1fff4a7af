from typing import Any

import pytest
import torch

from rpgen.backends import backend_of
from rpgen.backends.base import FallbackError, ModelIdentity, parse_target
from tests.torch.backends.contract import BackendContract


class TestEager(BackendContract):
    target = "cpu"
    holds = "_call"


class TestCompiled(BackendContract):
    target = "cpu+compile"
    holds = "_call"


class TestCompiledByOpenVino(BackendContract):
    target = "openvino+compile"
    holds = "_call"


class TestCuda(BackendContract):
    target = "cuda"
    installed = False
    holds = "_call"


class TestCudaCompiled(BackendContract):
    target = "cuda+compile"
    installed = False
    holds = "_call"


@pytest.mark.parametrize(
    ("asked", "cuda", "hip", "built_for"),
    [("rocm+compile", "13.0", None, "cuda"), ("cuda+compile", None, "7.0", "rocm")],
)
def test_a_build_for_the_others_gpus_is_refused(
    asked: str, cuda: Any, hip: Any, built_for: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch calls both cuda, and would compute."""
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", hip)
    target = parse_target(asked)
    assert target is not None
    evidence = backend_of(target).probe(target)
    assert not evidence.available
    assert f"is built for {built_for}, not for {target.backend}" in evidence.reason
    assert evidence.remedy
    with pytest.raises(FallbackError, match=f"built for {built_for}"):
        backend_of(target).prepare(None, {}, target, ModelIdentity("none"))
