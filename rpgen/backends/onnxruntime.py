"""ONNX Runtime: the exported model on the execution provider that was asked for, or a failure.

It replaces a provider that it doesn't have, or can't start, by the CPU with no more than a
warning. So each session gets one provider, and is asked afterwards which one it has and which
nodes of the graph are that one's.
"""

import functools
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rpgen.backends.base import (
    BackendError,
    Description,
    Evidence,
    FallbackError,
    ModelIdentity,
    Prepared,
    Target,
    first_line,
)
from rpgen.backends.export import ExportedModel, export
from rpgen.backends.prepared import PreparedModel, arrays, tensor
from rpgen.backends.web.placement import HEAVY

REMEDY = 'pip install "rpgen[onnx]"'
CPU = "CPUExecutionProvider"
REMEDIES = {
    "CUDAExecutionProvider": "pip install onnxruntime-gpu in place of onnxruntime",
    "TensorrtExecutionProvider": "pip install onnxruntime-gpu in place of onnxruntime",
    "ROCMExecutionProvider": "pip install onnxruntime-rocm in place of onnxruntime",
    "MIGraphXExecutionProvider": "pip install onnxruntime-rocm in place of onnxruntime",
    "OpenVINOExecutionProvider": "pip install onnxruntime-openvino in place of onnxruntime",
    "QNNExecutionProvider": "pip install onnxruntime-qnn in place of onnxruntime",
    "DmlExecutionProvider": "pip install onnxruntime-directml in place of onnxruntime, on Windows",
    "CoreMLExecutionProvider": "use the onnxruntime for macOS",
}
IN_F32: dict[str, dict[str, str]] = {
    CPU: {},
    "CUDAExecutionProvider": {"use_tf32": "0"},
    "MIGraphXExecutionProvider": {"migraphx_fp16_enable": "0"},
    "OpenVINOExecutionProvider": {"precision": "FP32"},
    "QNNExecutionProvider": {"enable_htp_fp16_precision": "0"},
}
"""What a provider is told to compute in f32. Of those that aren't here nothing is known."""

_IR_VERSION = 10


class OnnxRuntimeBackend:
    name = "onnxruntime"

    def probe(self, target: Target) -> Evidence:
        return _probe(target.device or CPU)

    def prepare(
        self, model: Any, inputs: Mapping[str, Any], target: Target, identity: ModelIdentity
    ) -> Prepared:
        provider = target.device or CPU
        exported = export(model, inputs, identity)
        began = time.perf_counter()
        session = _session(str(exported.path), provider)
        loaded = time.perf_counter() - began
        nodes = must_compute(provider, operators_of(session))
        made = "read from the cache" if exported.from_cache else "made"
        described = Description(
            computed_by=f"ONNX Runtime {_version()}, {provider}",
            device=provider.removesuffix("ExecutionProvider"),
            precision=precision_of(provider),
            nodes=nodes,
            prepare_seconds=round(exported.seconds + loaded, 3),
            notes=(f"ONNX file {made} in {exported.seconds:.2f} s",),
        )
        return _OnSession(described, session, exported)


class _OnSession(PreparedModel):
    def __init__(self, described: Description, session: Any, exported: ExportedModel) -> None:
        super().__init__(described, exported.sizes)
        self._session: Any = session
        self._inputs = tuple(each.name for each in session.get_inputs())
        self._outputs = exported.outputs

    def _compute(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            found = self._session.run(list(self._outputs), arrays(inputs, self._inputs))
        except Exception as error:
            raise BackendError(f"{self._described.computed_by}: {first_line(error)}") from error
        return {name: tensor(array) for name, array in zip(self._outputs, found, strict=True)}

    def _free(self) -> None:
        self._session = None


@functools.cache
def _probe(provider: str) -> Evidence:
    """Is it installed, has it the provider, and does a sum come out right there?"""
    try:
        import onnx  # noqa: F401  torch writes the file with it
        import onnxruntime
    except ImportError as error:
        missing = error.name or "onnxruntime"
        return Evidence(False, f"the package {missing} isn't installed", REMEDY)
    version = _version()
    known = onnxruntime.get_available_providers()
    if provider not in known:
        has = ", ".join(known)
        reason = f"ONNX Runtime {version} has no {provider}, it has {has}"
        return Evidence(False, reason, REMEDIES.get(provider, "name one that it has"))
    try:
        _prove(provider)
    except BackendError as error:
        remedy = "see that the provider's device, driver and libraries are there"
        return Evidence(False, f"{provider} can't be used: {error}", remedy)
    reason = f"ONNX Runtime {version} added two numbers on {provider}"
    return Evidence(True, reason, details={"version": version, "providers": ", ".join(known)})


def _prove(provider: str) -> None:
    import numpy
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "sum", [value], [result]
    )
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
    session = _session(model.SerializeToString(), provider)
    given = numpy.array([1.0, 2.5], dtype=numpy.float32)
    found = session.run(None, {"x": given})[0]
    if found.tolist() != [2.0, 5.0]:
        raise BackendError(f"1 + 1 and 2.5 + 2.5 came out as {found.tolist()}")


def _session(model: str | bytes, provider: str) -> Any:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    with warnings.catch_warnings(action="ignore"):  # its fallback is told by what it is asked
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=[(provider, IN_F32.get(provider, {}))]
            )
        except Exception as error:
            raise BackendError(f"ONNX Runtime, {provider}: {first_line(error)}") from error
    session.disable_fallback()
    got = session.get_providers()[0]
    if got != provider:
        raise FallbackError(f"{provider} was asked for, ONNX Runtime took {got} instead")
    return session


def precision_of(provider: str) -> str:
    """No provider tells what it computes in. The CPU has kernels of f32 for f32, others are told
    to; what is left is unknown."""
    if provider == CPU:
        return "f32"
    return "f32, as it was told" if provider in IN_F32 else "not known"


def operators_of(session: Any) -> dict[str, Counter[str]] | None:
    """The kinds of node that each provider computes, counted; None where this version can't
    tell."""
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    if tell is None:
        return None
    found: dict[str, Counter[str]] = {}
    for part in tell():
        name = part.ep_name.removesuffix("ExecutionProvider")
        found.setdefault(name, Counter()).update(node.op_type for node in part.get_nodes())
    return found


def must_compute(provider: str, found: Mapping[str, Counter[str]] | None) -> dict[str, int]:
    """How many nodes each provider computes. FallbackError where the one that was asked for has
    none, or left something of weight to another; sizes and masks may be the processor's."""
    name = provider.removesuffix("ExecutionProvider")
    if not found:
        if provider == CPU:
            return {}
        raise FallbackError(
            f"{provider} was asked for, and ONNX Runtime {_version()} can't tell what it"
            " computes: take 1.24 or newer"
        )
    nodes = {who: kinds.total() for who, kinds in found.items()}
    others = ", ".join(f"{count} nodes on {who}" for who, count in nodes.items() if who != name)
    if not nodes.get(name):
        raise FallbackError(f"{provider} was asked for and computes nothing: {others}")
    heavy = {kind for who, kinds in found.items() if who != name for kind in HEAVY & set(kinds)}
    if heavy:
        raise FallbackError(
            f"{provider} was asked for, but {', '.join(sorted(heavy))} of this model would fall"
            f" back: {others}"
        )
    return nodes


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
