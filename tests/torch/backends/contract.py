"""What every backend has to keep. A test class derives from `BackendContract` and names its
target; a backend that isn't here skips with its own reason. With RPGEN_REQUIRE_DEVICE it fails,
and under CI it fails where the project installs it (`installed`)."""

import functools
import gc
import os
import weakref
from typing import Any, ClassVar

import pytest
import torch

from rpgen.backends import backend_of
from rpgen.backends.base import BackendError, Evidence, ModelIdentity, Prepared, parse_target
from rpgen.backends.call import flat_call
from rpgen.models import Checkpoint

MODELS = {
    "bert": ("bert-base-uncased", "AutoModelForMaskedLM"),
    "vit": ("google/vit-base-patch16-224", "AutoModelForImageClassification"),
}

SAME = 1e-4
"""The largest difference to torch, relative to the spread of what torch gave."""

IDS = torch.tensor([[5, 17, 33, 8, 21, 9, 40], [12, 7, 30, 2, 0, 0, 0]])


@functools.cache
def tiny(model_type: str) -> Any:
    """A model that all tests of the process share."""
    name, head = MODELS[model_type]
    return Checkpoint(name, head, model_type, "tiny").load_model()


def example(model: Any, batch: int = 2, length: int = 7) -> dict[str, torch.Tensor]:
    """Two texts of different length, or two pictures, from fixed numbers."""
    if model.main_input_name == "pixel_values":
        size = model.config.image_size
        values = torch.linspace(-1.0, 1.0, batch * 3 * size * size)
        return {"pixel_values": values.sin().reshape(batch, 3, size, size)}
    ids = IDS[:batch, :length]
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


def relative_difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    spread = float(expected.double().std(unbiased=False)) or float(expected.double().abs().max())
    return float((found.double() - expected.double()).abs().max()) / (spread or 1.0)


_PREPARED: dict[tuple[str, str], Prepared] = {}


class BackendContract:
    """Derive, set `target`, and each of these holds. A model is prepared once for all of them."""

    target: ClassVar[str]
    installed: ClassVar[bool] = True
    holds: ClassVar[str | None] = None
    """Where a preparation of this backend has what takes memory: it is gone with the release."""

    @pytest.fixture
    def here(self) -> None:
        """Skips where the target can't be had."""
        evidence = self.evidence()
        if not evidence.available and not evidence.software:
            if os.environ.get("RPGEN_REQUIRE_DEVICE") or (self.installed and os.environ.get("CI")):
                pytest.fail(f"{evidence.reason}; {evidence.remedy}")
            pytest.skip(f"{evidence.reason}; {evidence.remedy}")

    def evidence(self) -> Evidence:
        found = parse_target(self.target)
        assert found is not None
        return backend_of(found).probe(found)

    def prepared(self, model_type: str) -> Prepared:
        key = self.target, model_type
        if key not in _PREPARED:
            found = parse_target(self.target)
            assert found is not None
            model = tiny(model_type)
            inputs = example(model)
            identity = ModelIdentity(model_type, weights="tiny")
            call = flat_call(model, inputs)
            _PREPARED[key] = backend_of(found).prepare(call, inputs, found, identity)
        return _PREPARED[key]

    def test_a_probe_says_what_it_found(self) -> None:
        evidence = self.evidence()
        assert evidence.reason
        assert evidence.available or evidence.software or evidence.remedy

    @pytest.mark.parametrize("model_type", MODELS)
    def test_it_gives_what_torch_gives(self, here: None, model_type: str) -> None:
        model = tiny(model_type)
        inputs = example(model)
        found = self.prepared(model_type).run(inputs)
        with torch.inference_mode():
            expected = model(**inputs).logits
        assert list(found) == ["outputs.logits"]
        assert found["outputs.logits"].device.type == "cpu"
        assert relative_difference(found["outputs.logits"], expected) < SAME

    def test_other_values_give_other_results(self, here: None) -> None:
        """What was recorded is the model and not its result; inputs and outputs are not shared."""
        bert, prepared = tiny("bert"), self.prepared("bert")
        inputs = example(bert)
        other = {**inputs, "input_ids": (inputs["input_ids"] * 3 + 1) % 60}
        first = prepared.run(inputs)["outputs.logits"]
        kept = first.clone()
        second = prepared.run(other)["outputs.logits"]
        with torch.inference_mode():
            expected = bert(**other).logits
        assert torch.equal(first, kept)
        assert relative_difference(second, expected) < SAME
        assert relative_difference(second, kept) > 100 * SAME

    def test_it_tells_what_computed(self, here: None) -> None:
        prepared = self.prepared("bert")
        before = prepared.describe().runs
        prepared.run(example(tiny("bert")))
        told = prepared.describe()
        assert told.computed_by
        assert told.device
        assert told.precision.startswith("f32")
        assert told.runs == before + 1
        assert told.prepare_seconds > 0
        assert told.run_seconds is not None
        assert told.run_seconds > 0
        assert told.nodes
        assert all(count > 0 for count in told.nodes.values())
        assert told.to_dict()["computed_by"] == told.computed_by

    def test_released_is_released(self, here: None) -> None:
        prepared = self.prepared("bert")
        del _PREPARED[self.target, "bert"]
        held = weakref.ref(getattr(prepared, self.holds)) if self.holds else None
        prepared.release()
        gc.collect()
        assert held is None or held() is None, f"{self.holds} is still held by something"
        prepared.release()
        with pytest.raises(BackendError):
            prepared.run(example(tiny("bert")))
