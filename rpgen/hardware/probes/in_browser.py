"""Backends of a browser: is there one to drive, with what it needs?"""

from typing import Any

from rpgen.hardware import browsers
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step

WASM = "wasm"
"""What the processor computes in a browser: among the facts of WebNN's report."""


def in_browser(backend: Backend, here: Surroundings) -> BackendReport:
    """Available as far as files tell. What the browser computes on is up to the caller."""
    browser = browsers.find(here)
    reason, remedy = browser.missing
    facts = {
        "browser": browser.name,
        "onnxruntime_web": browser.runtime,
        **browser.packages,
    }
    found = f"{browser.name}, onnxruntime-web {browser.runtime}, playwright {facts['playwright']}"
    evidence = (Evidence(Step.LIBRARY, not reason, reason or found),)
    if reason:
        verdict = absent if browser.name is None else unusable
        return verdict(backend, reason, remedy, evidence, facts=facts)
    return BackendReport(backend, State.AVAILABLE, evidence, facts=facts)


def as_fact(report: BackendReport) -> dict[str, Any]:
    """A report as JSON values, to stand among the facts of another."""
    return {
        "state": str(report.state),
        "reason": report.reason,
        "remedy": report.remedy,
        "evidence": [[str(seen.step), seen.found, seen.detail] for seen in report.evidence],
    }
