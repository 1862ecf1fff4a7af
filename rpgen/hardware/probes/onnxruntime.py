"""ONNX Runtime and its execution providers."""

from rpgen.hardware.packages import installed_versions
from rpgen.hardware.probes.answers import ask_python
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Device, Evidence, State, Step

PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-rocm",
    "onnxruntime-openvino",
    "onnxruntime-directml",
    "onnxruntime-qnn",
)
"""The distributions that bring the module `onnxruntime`; they differ in their providers."""

_REMOTE = ("AzureExecutionProvider",)
"""Providers that send the work elsewhere: nothing of this machine."""

_REMEDY = 'pip install "rpgen[onnx]"'
_QUESTION = """
import onnxruntime
answer = onnxruntime.get_available_providers()
"""


def probe(here: Surroundings) -> BackendReport:
    versions = installed_versions(PACKAGES, here.search_path)
    if not versions:
        evidence = [Evidence(Step.LIBRARY, False, "the package onnxruntime isn't installed")]
        return absent(Backend.ONNXRUNTIME, "onnxruntime isn't installed", _REMEDY, evidence)
    installed = ", ".join(f"{name} {version}" for name, version in versions.items())
    facts: dict[str, object] = {"packages": versions, "version": next(iter(versions.values()))}
    evidence = [Evidence(Step.LIBRARY, True, installed)]
    providers, failure = ask_python(here, _QUESTION)
    if failure or not providers:
        failure = failure or "it has no execution provider"
        evidence.append(Evidence(Step.DEVICE, None, failure))
        reason = f"{installed} is installed, but can't be used: {failure}"
        remedy = f"reinstall it: {_REMEDY}"
        return unusable(Backend.ONNXRUNTIME, reason, remedy, evidence, facts=facts)
    evidence.append(Evidence(Step.DEVICE, True, f"providers {', '.join(providers)}"))
    facts["providers"] = list(providers)
    devices = tuple(
        Device(Backend.ONNXRUNTIME, number, name, facts={"provider": name})
        for number, name in enumerate(name for name in providers if name not in _REMOTE)
    )
    return BackendReport(
        Backend.ONNXRUNTIME, State.AVAILABLE, tuple(evidence), devices, facts=facts
    )
