"""OpenVINO and the devices that it lists."""

from rpgen.hardware.packages import installed_versions
from rpgen.hardware.probes.answers import ask_python
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, State, Step

_REMEDY = 'pip install "rpgen[openvino]"'
_QUESTION = """
import openvino
core = openvino.Core()
answer = [[name, str(core.get_property(name, "FULL_DEVICE_NAME")),
           [str(x) for x in core.get_property(name, "OPTIMIZATION_CAPABILITIES")]]
          for name in core.available_devices]
"""
_DTYPES = {"FP32": "fp32", "FP16": "fp16", "BF16": "bf16"}


def probe(here: Surroundings) -> BackendReport:
    version = installed_versions(["openvino"], here.search_path).get("openvino")
    if version is None:
        evidence = [Evidence(Step.LIBRARY, False, "the package openvino isn't installed")]
        return absent(Backend.OPENVINO, "openvino isn't installed", _REMEDY, evidence)
    facts: dict[str, object] = {"version": version}
    evidence = [Evidence(Step.LIBRARY, True, f"openvino {version}")]
    listed, failure = ask_python(here, _QUESTION)
    if failure:
        evidence.append(Evidence(Step.DEVICE, None, failure))
        reason = f"openvino {version} is installed, but can't list its devices: {failure}"
        return unusable(Backend.OPENVINO, reason, f"reinstall it: {_REMEDY}", evidence, facts=facts)
    if not listed:
        evidence.append(Evidence(Step.DEVICE, False, "it lists no device"))
        reason = f"openvino {version} lists no device"
        return unusable(Backend.OPENVINO, reason, f"reinstall it: {_REMEDY}", evidence, facts=facts)
    devices = tuple(
        Device(
            Backend.OPENVINO,
            number,
            full_name,
            unified=name.startswith("CPU"),
            dtypes=tuple(_DTYPES[x] for x in ("FP32", "FP16", "BF16") if x in abilities)
            or ("fp32",),
            facts={"openvino_device": name, "abilities": abilities},
        )
        for number, (name, full_name, abilities) in enumerate(listed)
    )
    names = ", ".join(name for name, _full, _abilities in listed)
    evidence.append(Evidence(Step.DEVICE, True, f"it lists {names}"))
    facts["devices"] = [name for name, _full, _abilities in listed]
    return BackendReport(Backend.OPENVINO, State.AVAILABLE, tuple(evidence), devices, facts=facts)
