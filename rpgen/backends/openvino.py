"""OpenVINO: the model converted and compiled for the device that was asked for, in f32.

On processors with bf16 units OpenVINO computes in bf16 unless it is told otherwise, so f32 is
asked for and every node's own precision is looked at afterwards.
"""

import functools
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rpgen.backends.base import (
    BackendError,
    Description,
    Evidence,
    FallbackError,
    ModelIdentity,
    Prepared,
    Sizes,
    Target,
    first_line,
)
from rpgen.backends.prepared import PreparedModel, arrays, tensor
from rpgen.backends.tracing import recording, trace

REMEDY = 'pip install "rpgen[openvino]"'
VIRTUAL = ("AUTO", "MULTI", "HETERO", "BATCH")
"""Devices that spread the work over others as they see fit."""

_HALF = ("bf16", "f16")


class OpenVinoBackend:
    name = "openvino"

    def probe(self, target: Target) -> Evidence:
        return _probe(target.device or "CPU")

    def prepare(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> Prepared:
        if target.compiled:
            from rpgen.backends.openvino_compiler import prepare_with_openvino

            made: Prepared = prepare_with_openvino(model, inputs, target)
            return made
        device = target.device or "CPU"
        began = time.perf_counter()
        converted, sizes = _converted(model, inputs)
        compiled = compile_in_f32(converted, device)
        where = executed_on(compiled, device)
        described = Description(
            computed_by=f"OpenVINO {version()}",
            device=where,
            precision=precision_of(compiled, device),
            nodes={where: len(precisions_of(compiled))},
            prepare_seconds=round(time.perf_counter() - began, 3),
            notes=(_in_words(precisions_of(compiled)),),
        )
        return _OnCompiled(described, compiled, model, sizes)


class _OnCompiled(PreparedModel):
    def __init__(self, described: Description, compiled: Any, call: Any, sizes: Sizes) -> None:
        super().__init__(described, sizes)
        self._compiled: Any = compiled
        self._inputs, self._outputs = call.input_names, call.output_names

    def _compute(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        given = list(arrays(inputs, self._inputs).values())
        try:
            found = self._compiled(given)
        except RuntimeError as error:
            raise BackendError(f"{self._described.computed_by}: {first_line(error)}") from error
        return {name: tensor(found[place]) for place, name in enumerate(self._outputs)}

    def _free(self) -> None:
        self._compiled = None


def _converted(call: Any, inputs: Mapping[str, Any]) -> tuple[Any, Sizes]:
    """OpenVINO's model, and the sizes that it takes."""
    openvino, traced = package(), trace(call, inputs)
    try:
        with recording():
            model = openvino.convert_model(traced.module, example_input=tuple(inputs.values()))
    except Exception as error:
        raise BackendError(f"OpenVINO can't convert this model: {_why(error)}") from error
    if len(model.inputs) != len(inputs) or len(model.outputs) != len(call.output_names):
        raise BackendError(
            f"OpenVINO's model has {len(model.inputs)} inputs and {len(model.outputs)} outputs"
            f" instead of {len(inputs)} and {len(call.output_names)}"
        )
    model.reshape(
        {
            number: openvino.PartialShape([-1 if size is None else size for size in each])
            for number, each in enumerate(traced.sizes.values())
        }
    )
    return model, traced.sizes


def _why(error: Exception) -> str:
    """Its report of a conversion has the reason in a summary at the end."""
    listed = [line.removeprefix("-- ") for line in str(error).splitlines() if line[:3] == "-- "]
    told = [line for line in listed if "No conversion rule" in line or "is failed" in line]
    return "; ".join(told) or first_line(error)


def compile_in_f32(model: Any, device: str) -> Any:
    """The model compiled for a device, or BackendError where another computes, or in half."""
    wish: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if device.partition(":")[0] not in VIRTUAL:
        wish["INFERENCE_PRECISION_HINT"] = "f32"
    else:
        for part in _parts(device, core().available_devices):
            core().set_property(part, {"INFERENCE_PRECISION_HINT": "f32"})
    try:
        compiled = core().compile_model(model, device, wish)
    except RuntimeError as error:
        raise BackendError(f"OpenVINO, {device}: {first_line(error)}") from error
    executed_on(compiled, device)
    precision_of(compiled, device)
    return compiled


def precision_of(compiled: Any, device: str) -> str:
    """f32 where a node tells it and none tells another; FallbackError where one is in half."""
    told = set(precisions_of(compiled))
    half = sorted(told & set(_HALF))
    if half:
        raise FallbackError(f"OpenVINO, {device}: f32 was asked for, and it computes in {half[0]}")
    return "f32" if "f32" in told else "not known"


def executed_on(compiled: Any, asked: str) -> str:
    """The devices that execute it. BackendError where one of them was not asked for."""
    devices = [str(each).strip("()") for each in compiled.get_property("EXECUTION_DEVICES")]
    allowed = _parts(asked, devices)
    others = [each for each in devices if not any(_is_same(part, each) for part in allowed)]
    if others or not devices:
        got = ", ".join(others) or "none"
        raise FallbackError(f"OpenVINO was asked for {asked}, and {got} executes the model")
    return ", ".join(devices)


def _is_same(asked: str, executes: str) -> bool:
    """GPU may be any of them, GPU.1 only that one; a machine with one GPU calls it GPU."""
    kind, _, number = asked.partition(".")
    its_kind, _, its_number = executes.partition(".")
    return kind == its_kind and (not number or number == (its_number or "0"))


def _parts(device: str, all_devices: Iterable[str]) -> list[str]:
    """CPU for CPU; GPU and CPU for HETERO:GPU,CPU; all there are for AUTO."""
    kind, _, listed = device.partition(":")
    if kind not in VIRTUAL:
        return [device]
    return [part.partition("(")[0] for part in listed.split(",")] if listed else list(all_devices)


def precisions_of(compiled: Any) -> list[str]:
    """The precision that each node computes in, where the device tells."""
    found = []
    for node in compiled.get_runtime_model().get_ops():
        told = dict(node.rt_info).get("runtimePrecision") if "rt_info" in dir(node) else None
        if told is not None:
            found.append(str(told.astype(str) if hasattr(told, "astype") else told))
    return found


def _in_words(precisions: list[str]) -> str:
    counted = Counter(each for each in precisions if each not in ("", "dynamic"))
    return "nodes by precision: " + ", ".join(f"{n} {name}" for name, n in counted.most_common())


@functools.cache
def _probe(device: str) -> Evidence:
    try:
        package()
    except ImportError:
        return Evidence(False, "the package openvino isn't installed", REMEDY)
    listed = list(core().available_devices)
    details = {"version": version(), "devices": ", ".join(listed)}
    wanted = _parts(device, listed)
    missing = [part for part in wanted if not _is_listed(part, listed)]
    if missing or not wanted:
        has = ", ".join(listed) or "none"
        reason = f"OpenVINO {version()} lists no {', '.join(missing) or 'device'}, it lists {has}"
        remedy = "install the driver of that device, or name a device that it lists"
        return Evidence(False, reason, remedy, details=details)
    names = ", ".join(str(core().get_property(part, "FULL_DEVICE_NAME")) for part in wanted)
    return Evidence(
        True, f"OpenVINO {version()} lists {', '.join(wanted)} ({names})", None, details=details
    )


def _is_listed(device: str, listed: Iterable[str]) -> bool:
    """GPU is there where GPU.0 and GPU.1 are listed."""
    return any(device in (each, each.partition(".")[0]) for each in listed)


@functools.cache
def core() -> Any:
    """One for the process: it keeps the plugins loaded."""
    return package().Core()


@functools.cache
def package() -> Any:
    """The package, without its reports of use: its converter sends them over the network unless
    the part that does so is missing. Raises ImportError."""
    kept = sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's "not there"
    try:
        import openvino
        import openvino.tools.ovc
    finally:
        del sys.modules["openvino_telemetry"]
        if kept is not None:
            sys.modules["openvino_telemetry"] = kept
    return openvino


def version() -> str:
    return str(package().__version__).partition("-")[0]
