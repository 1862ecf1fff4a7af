import subprocess
import sys

import pytest
import torch

from rpgen.backends import backend_of
from rpgen.backends.base import ModelIdentity, parse_target
from rpgen.backends.call import flat_call
from tests.torch.backends.contract import SAME, BackendContract, example, relative_difference, tiny


class TestOpenVino(BackendContract):
    target = "openvino"


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
