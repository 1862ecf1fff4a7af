"""WebGPU in a browser. Which adapter answers shows only in a running browser."""

from dataclasses import replace

from rpgen.hardware import browsers
from rpgen.hardware.probes.in_browser import in_browser
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step


def probe(here: Surroundings) -> BackendReport:
    report = in_browser(Backend.WEBGPU, here)
    if not report.available:
        return report
    if not browsers.gpu_is_here(here):
        return replace(
            report,
            state=State.SOFTWARE,
            evidence=(*report.evidence, Evidence(Step.DEVICE, False, "no render node in /dev/dri")),
            reason="there is no GPU here: the browser's adapter would be software (SwiftShader)",
            remedy="needs a GPU that the browser may use",
        )
    device = Evidence(Step.DEVICE, True, "a GPU that a browser may use")
    usable = Evidence(Step.USABLE, None, "the adapter shows only in a running browser")
    return replace(report, evidence=(*report.evidence, device, usable))
