"""A backend that computes with torch, and does what a test wants it to do."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from rpgen.backends.account import Account
from rpgen.backends.base import (
    Description,
    Evidence,
    ModelIdentity,
    Prepared,
    Sizes,
    Target,
    parse_target,
)
from rpgen.backends.forward import Forward
from rpgen.backends.prepared import PreparedModel

Outputs = Mapping[str, Any]


class FakePrepared(PreparedModel):
    def __init__(self, call: Any, backend: "FakeBackend", sizes: Sizes) -> None:
        super().__init__(Description("a fake", "CPU", "f32", nodes={"CPU": 1}), sizes)
        self._call, self._backend = call, backend

    def _compute(self, inputs: Mapping[str, Any]) -> Outputs:
        with torch.inference_mode():
            found = self._call(*inputs.values())
        return self._backend.change(dict(zip(self._call.output_names, found, strict=True)))

    def _free(self) -> None:
        self._backend.released += 1


class FakeBackend:
    name = "fake"

    def __init__(self) -> None:
        self.prepared = self.released = 0
        self.change: Callable[[Outputs], Outputs] = lambda found: found
        self.meanwhile: Callable[[], None] = lambda: None

    def probe(self, target: Target) -> Evidence:
        return Evidence(True, "it is always here")

    def prepare(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> Prepared:
        self.meanwhile()
        self.prepared += 1
        free = {name: (None,) * each.dim() for name, each in inputs.items()}
        return FakePrepared(model, self, free)


class Held:
    """A forward on a fake, and the account that it writes to."""

    def __init__(self, model: Any, most_prepared: int = 8) -> None:
        target = parse_target("onnxruntime")
        assert target is not None
        self.backend, self.account = FakeBackend(), Account("fake")
        self.forward = Forward(
            model,
            target,
            ModelIdentity("fake"),
            self.backend,
            lambda: self.account,
            most_prepared=most_prepared,
        )

    def __call__(self, **given: Any) -> Any:
        return self.forward(given)

    @property
    def figures(self) -> dict[str, Any]:
        return self.account.figures().to_dict()
