"""WebGPU, WebNN and wasm as backends: the exported model in onnxruntime-web.

| provider | what is asked of it | what would be a fallback |
|---|---|---|
| wasm | all nodes on the runtime's own kernels | any node elsewhere |
| WebGPU | an adapter | products of matrices or convolutions left to the processor |
| WebNN | strict: no node of the graph may stay outside | it raises |
| WebNN on `gpu`, `npu` | a context that says it is accelerated | one that doesn't say so |

Each session gets one provider: where that has no adapter or context, the runtime raises.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rpgen.backends.base import (
    BackendError,
    Description,
    Evidence,
    FallbackError,
    ModelIdentity,
    Prepared,
    Target,
)
from rpgen.backends.export import ExportedModel, axis_name, export
from rpgen.backends.prepared import PreparedModel, arrays, tensor
from rpgen.backends.web.browser import SharedBrowser, shared_browser
from rpgen.backends.web.placement import Placed, placed
from rpgen.backends.web.program import Missing, find_program
from rpgen.backends.web.rewrite import for_webnn
from rpgen.backends.web.running import Live
from rpgen.backends.web.session import Opened, PageSession, Provider
from rpgen.hardware.browser_files import RUNTIME, SOFTWARE_ADAPTERS

MOST_MODEL_BYTES = 2 * 2**30 - 1
_RUNTIME = str(RUNTIME)
_ACCELERATORS = ("gpu", "npu")


class WebBackend(ABC):
    """Derive for each provider. Without `browser` it is the one that the process shares."""

    name: str

    def __init__(self, browser: SharedBrowser | None = None) -> None:
        self._browser = browser

    def probe(self, target: Target) -> Evidence:
        """Starts the browser, and asks it."""
        if self._browser is None and isinstance(found := find_program(), Missing):
            return Evidence(False, found.reason, found.remedy)
        refusal = self._refuses(target)
        if refusal is not None:
            return refusal
        try:
            return self._shared().do(lambda live: self._ask(live, target))
        except BackendError as error:
            return Evidence(False, str(error), "see that the browser can be started here")

    def prepare(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> Prepared:
        exported, session = self._open(model, inputs, target, identity)
        try:
            return self._described(session, exported, target)
        except BaseException:
            session.release()
            raise

    def _open(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> tuple[ExportedModel, PageSession]:
        exported = export(model, inputs, identity)
        _must_fit(exported)
        return exported, PageSession(self._shared(), self._provider(target), exported.path)

    def _described(self, session: PageSession, exported: ExportedModel, target: Target) -> Prepared:
        where = placed(session.opened.placements)
        self._must_compute(where)
        described = Description(
            computed_by=f"{_RUNTIME}, {self.name}, in Chromium {session.opened.version}",
            device="CPU",
            precision="f32",
            nodes=where.nodes,
            prepare_seconds=round(exported.seconds + session.opened.seconds, 3),
            notes=(*self._notes(session.opened, where), *_outside(session.opened)),
        )
        return _OnPage(self._labelled(described, target), session, exported)

    def _shared(self) -> SharedBrowser:
        return self._browser or shared_browser()

    def _refuses(self, target: Target) -> Evidence | None:
        """Why a target can't be had whatever the browser says; None where it may."""
        return None

    def _labelled(self, described: Description, target: Target) -> Description:
        """With what is known of the device."""
        return described

    def _notes(self, opened: Opened, where: Placed) -> tuple[str, ...]:
        return ()

    @abstractmethod
    def _must_compute(self, where: Placed) -> None:
        """Raise FallbackError where something of weight was left to another provider."""

    @abstractmethod
    def _ask(self, live: Live, target: Target) -> Evidence: ...

    @abstractmethod
    def _provider(self, target: Target) -> Provider: ...


class WasmBackend(WebBackend):
    """The processor, in the browser's sandbox."""

    name = "wasm"

    def _ask(self, live: Live, target: Target) -> Evidence:
        live.page("probe")
        live.close_page("probe")
        reason = f"{_RUNTIME} loaded in Chromium {live.version}"
        return Evidence(True, reason, details=_facts(live))

    def _provider(self, target: Target) -> Provider:
        return Provider("wasm", {"name": "wasm"})

    def _notes(self, opened: Opened, where: Placed) -> tuple[str, ...]:
        return (f"{opened.threads} thread{'s' * (opened.threads != 1)}",)

    def _must_compute(self, where: Placed) -> None:
        others = {name: count for name, count in where.nodes.items() if name != "CPU"}
        if others or not where.nodes:
            raise FallbackError(f"wasm was asked for, but others would compute: {others or 'none'}")


class WebGpuBackend(WebBackend):
    """Whatever adapter the browser gives; an adapter in software is told from a real one."""

    name = "webgpu"

    def _ask(self, live: Live, target: Target) -> Evidence:
        found = _adapter(live)
        if "missing" in found:
            remedy = "needs a GPU that the browser may use, and its driver"
            return Evidence(False, str(found["missing"]), remedy)
        name, software = _name_of(found), bool(found["isFallbackAdapter"])
        details = {"adapter": name, **_facts(live)}
        if not software:
            return Evidence(True, f"WebGPU adapter {name}", details=details)
        asked_for = os.environ.get(SOFTWARE_ADAPTERS) == "1"
        return Evidence(
            asked_for,
            f"the only WebGPU adapter is {name}, which is software",
            None
            if asked_for
            else f"{SOFTWARE_ADAPTERS}=1 takes it; a real one needs a GPU and its driver",
            software=True,
            details=details,
        )

    def _provider(self, target: Target) -> Provider:
        return Provider("webgpu", {"name": "webgpu"})

    def _labelled(self, described: Description, target: Target) -> Description:
        found = self._shared().do(_adapter)
        if "missing" in found:
            raise BackendError(str(found["missing"]))
        software = bool(found["isFallbackAdapter"])
        return replace(described, device=_name_of(found), software=software)

    def _must_compute(self, where: Placed) -> None:
        if not where.nodes.get("WebGpu"):
            others = ", ".join(f"{count} nodes on {name}" for name, count in where.nodes.items())
            raise FallbackError(f"WebGPU was asked for and computes nothing: {others}")
        heavy = where.heavy_on_cpu
        if heavy:
            raise FallbackError(
                f"WebGPU was asked for, but {', '.join(heavy)} of this model would fall back to "
                f"the processor"
            )


class WebNnBackend(WebBackend):
    """The processor, unless the browser says of its context that an accelerator computes there.
    What it doesn't say of a GPU or an NPU that was asked for is a refusal."""

    name = "webnn"

    def _refuses(self, target: Target) -> Evidence | None:
        asked = _device_type(target)
        if asked in ("cpu", *_ACCELERATORS):
            return None
        return Evidence(False, f"WebNN has no device type {asked}", "it has cpu, gpu and npu")

    def _ask(self, live: Live, target: Target) -> Evidence:
        asked = _device_type(target)
        found = _context(live, asked)
        if "missing" in found:
            remedy = "take the browser of rpgen detect --install-browser: it is built with WebNN"
            return Evidence(False, str(found["missing"]), remedy)
        accelerated = found["accelerated"] is True
        details = {"device_type": asked, **_facts(live)}
        if asked in _ACCELERATORS and not accelerated:
            return Evidence(False, _unaccelerated(asked), "ask for webnn", True, details)
        where = "" if accelerated else ", and it computes on the processor"
        reason = f"WebNN gave a context for {asked} in Chromium {live.version}{where}"
        return Evidence(True, reason, software=not accelerated, details=details)

    def _open(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> tuple[ExportedModel, PageSession]:
        """WebNN takes graphs of fixed sizes: those of the inputs are put in for the free ones.
        Where something of the graph still hangs on sizes, it is exported again with fixed ones."""
        exported = export(model, inputs, identity)
        _must_fit(exported)
        fixed = replace(exported, sizes={n: tuple(x.shape) for n, x in inputs.items()})
        free = _free_sizes(exported, fixed)
        try:
            provider = self._provider(target, free)
            content = for_webnn(exported.path, free) or exported.path
            return fixed, PageSession(self._shared(), provider, content)
        except BackendError:
            if not free:
                raise
        exported = export(model, inputs, identity, static=True)
        content = for_webnn(exported.path, {}) or exported.path
        return exported, PageSession(self._shared(), self._provider(target), content)

    def _provider(self, target: Target, sizes: Mapping[str, int] | None = None) -> Provider:
        options = {
            "extra": {"session": {"disable_cpu_ep_fallback": "1"}},
            "freeDimensionOverrides": dict(sizes or {}),
        }
        asked = {"name": "webnn", "deviceType": _device_type(target)}
        return Provider("webnn", asked, options)

    def _labelled(self, described: Description, target: Target) -> Description:
        asked = _device_type(target)
        found = self._shared().do(lambda live: _context(live, asked))
        if "missing" in found:
            raise BackendError(str(found["missing"]))
        if found["accelerated"] is True:
            return replace(described, device=asked.upper())
        if asked in _ACCELERATORS:
            raise FallbackError(_unaccelerated(asked))
        notes = ("WebNN computes on the processor", *described.notes)
        return replace(described, software=True, notes=notes)

    def _notes(self, opened: Opened, where: Placed) -> tuple[str, ...]:
        if where.parts is None:
            return ()
        return (f"the graph in {where.parts} part{'s' * (where.parts != 1)}",)

    def _must_compute(self, where: Placed) -> None:
        others = {name: count for name, count in where.nodes.items() if name != "WebNN"}
        if others:
            raise FallbackError(f"WebNN was asked for, but others would compute: {others}")


class _OnPage(PreparedModel):
    def __init__(
        self, described: Description, session: PageSession, exported: ExportedModel
    ) -> None:
        super().__init__(described, exported.sizes)
        self._session = session
        self._outputs = exported.outputs

    def _compute(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            found = self._session.run(arrays(inputs, tuple(self._session.opened.inputs)))
        except BackendError as error:
            raise type(error)(f"{self._described.computed_by}: {error}") from error
        return {name: tensor(found[name]) for name in self._outputs}

    def _free(self) -> None:
        self._session.release()


def _outside(opened: Opened) -> tuple[str, ...]:
    """A word where the browser has no sandbox."""
    return (f"no sandbox: {opened.unsandboxed}",) if opened.unsandboxed else ()


def _facts(live: Live) -> dict[str, str]:
    outside = f"none: {live.unsandboxed}" if live.unsandboxed else "on"
    return {"browser": live.version, "sandbox": outside}


def _adapter(live: Live) -> dict[str, Any]:
    found: dict[str, Any] = live.page("webgpu").content.evaluate("() => rpgen.adapter()")
    return found


def _name_of(adapter: Mapping[str, Any]) -> str:
    words = (adapter.get(each) for each in ("vendor", "architecture", "device", "description"))
    return " ".join(str(word) for word in words if word) or "without a name"


def _context(live: Live, device_type: str) -> dict[str, Any]:
    """Whether WebNN gives a context for this device type, and whether that is `accelerated`: None
    where the browser doesn't say."""
    page = live.page("webnn").content
    found: dict[str, Any] = page.evaluate("kind => rpgen.machineLearning(kind)", device_type)
    return found


def _unaccelerated(asked: str) -> str:
    return f"this browser doesn't say that WebNN computes on the {asked}: it may be the processor"


def _device_type(target: Target) -> str:
    return (target.device or "cpu").lower()


def _free_sizes(exported: ExportedModel, fixed: ExportedModel) -> dict[str, int]:
    """The size for each axis that an export leaves free, by the name that it has there."""
    return {
        axis_name(name, axis): int(size)
        for name, sizes in exported.sizes.items()
        for axis, (free, size) in enumerate(zip(sizes, fixed.sizes[name], strict=True))
        if free is None and size is not None
    }


def _must_fit(exported: ExportedModel) -> None:
    """A page gets a model as one array; weights that lie beside the file don't come along."""
    beside = [path for path in exported.path.parent.iterdir() if path.suffix != ".json"]
    total = sum(path.stat().st_size for path in beside)
    if total > MOST_MODEL_BYTES:
        raise BackendError(
            f"the model is {total / 2**30:.1f} GB as ONNX, and a page takes no more than 2 GB"
        )
