import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from rpgen.backends import backend_of, openvino
from rpgen.backends.base import FallbackError, ModelIdentity, parse_target
from rpgen.backends.call import flat_call
from tests.torch.backends.contract import SAME, BackendContract, example, relative_difference, tiny


class TestOpenVino(BackendContract):
    target = "openvino"
    holds = "_compiled"


def compiled(hint: str) -> Any:
    """A product of matrices, compiled by OpenVINO itself."""
    from openvino import opset13 as ops

    given = ops.parameter([64, 64], np.float32)
    weights = ops.constant(np.eye(64, dtype=np.float32))
    made = openvino.package().Model([ops.matmul(given, weights, False, False)], [given])
    return openvino.core().compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": hint})


def test_the_precision_is_that_of_the_nodes() -> None:
    assert "f32" in openvino.precisions_of(compiled("f32"))
    assert openvino.precision_of(compiled("f32"), "CPU") == "f32"


@pytest.mark.parametrize("half", ["bf16", "f16"])
def test_a_node_in_half_is_seen(half: str) -> None:
    """On a processor with units for it, where OpenVINO takes them unasked."""
    able = {"bf16": "BF16", "f16": "FP16"}[half]
    if able not in openvino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip(f"OpenVINO has no {half} on this processor")
    with pytest.raises(FallbackError, match=f"f32 was asked for, and it computes in {half}"):
        openvino.precision_of(compiled(half), "CPU")


class Device:
    """A device by what it executes on and tells of its nodes."""

    def __init__(self, *devices: str, precisions: tuple[str, ...] = ()) -> None:
        self._devices, self._precisions = devices, precisions

    def get_property(self, name: str) -> tuple[str, ...]:
        return self._devices

    def get_runtime_model(self) -> "Device":
        return self

    def get_ops(self) -> list[Any]:
        return [SimpleNamespace(rt_info={"runtimePrecision": each}) for each in self._precisions]


def test_one_node_in_half_is_enough() -> None:
    with pytest.raises(FallbackError, match="f32 was asked for, and it computes in f16"):
        openvino.precision_of(Device("GPU", precisions=("f32", "f16", "dynamic")), "GPU")


def test_a_device_that_tells_no_precision_is_not_said_to_be_f32() -> None:
    assert openvino.precision_of(Device("GPU"), "GPU") == "not known"


@pytest.mark.parametrize(
    ("asked", "executes", "is_same"),
    [
        ("GPU", "GPU.1", True),
        ("GPU.1", "GPU.1", True),
        ("GPU.0", "GPU", True),
        ("GPU.1", "GPU.0", False),
        ("GPU.1", "GPU", False),
        ("GPU", "CPU", False),
        ("AUTO", "(CPU)", True),
        ("HETERO:GPU.1,CPU", "GPU.0", False),
    ],
)
def test_the_number_of_a_device_counts(asked: str, executes: str, is_same: bool) -> None:
    if is_same:
        assert openvino.executed_on(Device(executes), asked) == executes.strip("()")
    else:
        with pytest.raises(FallbackError, match=f"asked for {asked}, and {executes} executes"):
            openvino.executed_on(Device(executes), asked)


@pytest.mark.parametrize("device", ["AUTO", "HETERO:CPU", "MULTI:CPU"])
def test_devices_that_choose_by_themselves_say_which_it_was(device: str) -> None:
    target = parse_target(f"openvino:{device}")
    assert target is not None
    assert backend_of(target).probe(target).available
    bert = tiny("bert")
    inputs = example(bert)
    prepared = backend_of(target).prepare(
        flat_call(bert, inputs), inputs, target, ModelIdentity("bert", weights="tiny")
    )
    with torch.inference_mode():
        expected = bert(**inputs).logits
    assert relative_difference(prepared.run(inputs)["outputs.logits"], expected) < SAME
    assert prepared.describe().device == "CPU"
    assert list(prepared.describe().nodes) == ["CPU"]
    prepared.release()


def test_nothing_is_reported_over_the_network() -> None:
    """OpenVINO's converter reports its use unless the package that does so is missing."""
    asked = (
        "from rpgen.backends.openvino import package; package();"
        "from openvino.tools.ovc import convert_impl;"
        "print(convert_impl.tm.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
