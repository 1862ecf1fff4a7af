"""WebNN in a browser. On Linux it computes on the processor, whatever device is asked for."""

from rpgen.hardware import browsers
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step

_BUILD = "whether this browser was built with WebNN shows only when it runs"


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
        return verdict(Backend.WEBNN, reason, remedy, evidence, facts=facts)
    evidence.append(Evidence(Step.USABLE, None, _BUILD))
    if here.system == "Linux":
        return BackendReport(
            Backend.WEBNN,
            State.SOFTWARE,
            tuple(evidence),
            reason="on Linux WebNN computes on the processor (LiteRT, XNNPACK)",
            remedy="nothing to install: a GPU or NPU under WebNN needs Windows or macOS",
            facts=facts,
        )
    return BackendReport(Backend.WEBNN, State.AVAILABLE, tuple(evidence), facts=facts)
