"""WebNN in a browser, and wasm. On Linux WebNN computes on the processor, whatever is asked for."""

from dataclasses import replace

from rpgen.hardware.probes.in_browser import WASM, as_fact, in_browser
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step

_BUILD = "whether this browser was built with WebNN shows only when it runs"


def probe(here: Surroundings) -> BackendReport:
    found = in_browser(Backend.WEBNN, here)
    found = replace(found, facts={**found.facts, WASM: as_fact(found)})
    if not found.available:
        return found
    report = replace(found, evidence=(*found.evidence, Evidence(Step.USABLE, None, _BUILD)))
    if here.system != "Linux":
        return report
    return replace(
        report,
        state=State.SOFTWARE,
        reason="on Linux WebNN computes on the processor (LiteRT, XNNPACK)",
        remedy="nothing to install: a GPU or NPU under WebNN needs Windows or macOS",
    )
