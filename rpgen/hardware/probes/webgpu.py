"""WebGPU in a browser. Which adapter answers shows only in a running browser, so files tell no more
than that there may be one: a render node of a real GPU, and a Vulkan driver for it."""

from dataclasses import replace

from rpgen.hardware import browsers
from rpgen.hardware.browser_files import SOFTWARE_ADAPTERS
from rpgen.hardware.probes.in_browser import in_browser
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step

_REMEDY = f"{SOFTWARE_ADAPTERS}=1 takes it; a real one needs a GPU and its driver"


def probe(here: Surroundings) -> BackendReport:
    report = in_browser(Backend.WEBGPU, here)
    if not report.available:
        return report
    missing = browsers.missing_gpu(here)
    if missing:
        return replace(
            report,
            state=State.SOFTWARE,
            evidence=(*report.evidence, Evidence(Step.DEVICE, False, missing)),
            reason=f"the browser's adapter would be software (SwiftShader): {missing}",
            remedy=_REMEDY,
        )
    device = Evidence(Step.DEVICE, True, "a GPU that a browser may use")
    usable = Evidence(Step.USABLE, None, "the adapter shows only in a running browser: --deep asks")
    return replace(report, evidence=(*report.evidence, device, usable))
