"""Backends of a browser: is there one to drive, with what it needs?"""

from rpgen.hardware import browsers
from rpgen.hardware.probes.verdict import absent, unusable
from rpgen.hardware.surroundings import Surroundings
from rpgen.hardware.types import Backend, BackendReport, Evidence, State, Step


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
