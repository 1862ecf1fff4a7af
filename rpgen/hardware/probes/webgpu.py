"""WebGPU in a browser. Which adapter answers shows only in a running browser."""

from rpgen.hardware import browsers
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step


def probe(here: Surroundings) -> BackendReport:
    browser = browsers.find(here)
    reason, remedy = browser.missing
    facts = {
        "browser": browser.name,
        "onnxruntime_web": browser.runtime,
        "playwright": browser.playwright,
    }
    found = f"{browser.name}, onnxruntime-web {browser.runtime}, playwright {browser.playwright}"
    evidence = [Evidence(Step.LIBRARY, not reason, reason or found)]
    if reason:
        verdict = absent if browser.name is None else unusable
        return verdict(Backend.WEBGPU, reason, remedy, evidence, facts=facts)
    if not browsers.gpu_is_here(here):
        evidence.append(Evidence(Step.DEVICE, False, "no render node in /dev/dri"))
        return BackendReport(
            Backend.WEBGPU,
            State.SOFTWARE,
            tuple(evidence),
            reason="there is no GPU here: the browser's adapter would be software (SwiftShader)",
            remedy="needs a GPU that the browser may use",
            facts=facts,
        )
    evidence.append(Evidence(Step.DEVICE, True, "a GPU that a browser may use"))
    evidence.append(Evidence(Step.USABLE, None, "the adapter shows only in a running browser"))
    return BackendReport(Backend.WEBGPU, State.AVAILABLE, tuple(evidence), facts=facts)
