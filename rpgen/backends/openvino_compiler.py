"""torch.compile with OpenVINO as the compiler, in f32.

It falls back to torch wherever something goes wrong, and says so to nobody. There are two such
places: it compiles with torch's compiler instead, or executes the graph as torch has it. Both
are seen here, and are errors.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rpgen.backends.base import BackendError, FallbackError, Prepared, Target
from rpgen.backends.compiled import Watch, prepare_compiled
from rpgen.backends.openvino import executed_on, precision_of, precisions_of, version
from rpgen.backends.tracing import recording


class OpenVinoWatch(Watch):
    """Sees the fallbacks, and what is compiled for which device."""

    def __init__(self, device: str) -> None:
        super().__init__(f"OpenVINO {version()}, torch.compile")
        self._device = device
        self._before = set(_partitions())

    @contextmanager
    def watching(self) -> Iterator[None]:
        from openvino.frontend.pytorch.torchdynamo import backend

        kept = backend.compile_fx
        backend.compile_fx = self._refuse
        try:
            with _overheard() as said:
                yield
        finally:
            backend.compile_fx = kept
        if any(part.perm_fallback for part in self._parts()):
            why = said[-1] if said else "it doesn't say why"
            raise FallbackError(f"{self.computed_by} fell back to torch on {self._device}: {why}")

    def _refuse(self, *_args: Any, **_options: Any) -> Any:
        raise BackendError(f"{self.computed_by} can't compile this model for {self._device}")

    def nodes(self, counted: int) -> Mapping[str, int]:
        """What OpenVINO executes, and what of the graph stayed torch's."""
        from openvino.frontend.pytorch.torchdynamo.execute import compiled_cache

        parts = self._parts()
        if not parts:
            raise BackendError(f"{self.computed_by} took no part of the model")
        count, precisions = 0, set()
        for part in parts:
            compiled = compiled_cache[part.partition_id]
            executed_on(compiled, self._device)
            precisions.add(precision_of(compiled, self._device))
            count += len(precisions_of(compiled))
        self.precision = "f32" if precisions == {"f32"} else "not known"
        left = [name for module in self._modules() for name in left_to_torch(module)]
        heavy = sorted(HEAVY & set(left))
        if heavy:
            raise FallbackError(
                f"{self.computed_by} was asked for, but {', '.join(heavy)} of this model would"
                " fall back to torch"
            )
        return {self._device: count, "torch": len(left)} if left else {self._device: count}

    def forget(self) -> None:
        from openvino.frontend.pytorch.torchdynamo import execute

        for part in self._parts():
            execute.compiled_cache.pop(part.partition_id, None)
            execute.req_cache.pop(part.partition_id, None)
        for key in set(_partitions()) - self._before:
            execute.partitioned_modules.pop(key, None)

    def _modules(self) -> list[Any]:
        found = _partitions()
        return [found[key] for key in found.keys() - self._before]

    def _parts(self) -> list[Any]:
        from openvino.frontend.pytorch.torchdynamo.execute import OpenVINOGraphModule

        inside = (part for module in self._modules() for part in module.modules())
        return [part for part in inside if isinstance(part, OpenVINOGraphModule)]


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What its modules tell a debugger, the reason of a fallback among it."""
    logger = logging.getLogger("openvino.frontend.pytorch.torchdynamo")
    said: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    parts = [logger, *(logging.getLogger(f"{logger.name}.{n}") for n in ("execute", "backend"))]
    levels = [part.level for part in parts]
    logger.addHandler(handler)
    for part in parts:
        part.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        for part, level in zip(parts, levels, strict=True):
            part.setLevel(level)


HEAVY = frozenset(
    {
        *("addbmm", "addmm", "addmv", "baddbmm", "bmm", "einsum", "linear", "matmul", "mm", "mv"),
        *(
            "conv1d",
            "conv2d",
            "conv3d",
            "conv_transpose2d",
            "convolution",
            "convolution_overrideable",
        ),
        *("gru", "lstm", "mkldnn_rnn_layer", "rnn_relu", "rnn_tanh"),
        *("_scaled_dot_product_attention_math", "_scaled_dot_product_flash_attention_for_cpu"),
        *("_scaled_dot_product_efficient_attention", "_scaled_dot_product_flash_attention"),
        "scaled_dot_product_attention",
    }
)
"""What a model's time goes into, by torch's names. Sizes and masks may stay with torch."""


def left_to_torch(module: Any) -> list[str]:
    """Computing nodes of a partitioned graph outside of OpenVINO's parts: aten.addmm.default is
    addmm."""
    nodes = (
        node
        for node in module.graph.nodes
        if node.op in ("call_function", "call_method") and "getitem" not in str(node.target)
    )
    return [str(node.target).removeprefix("aten.").partition(".")[0] for node in nodes]


def _partitions() -> dict[str, Any]:
    from openvino.frontend.pytorch.torchdynamo.execute import partitioned_modules

    found: dict[str, Any] = partitioned_modules
    return found


def prepare_with_openvino(call: Any, inputs: Mapping[str, Any], target: Target) -> Prepared:
    """torch.compile with OpenVINO as the compiler, in f32."""
    with recording():  # what it imports warns of its own ways
        import openvino.torch  # noqa: F401  registers the compiler
        from openvino.frontend.pytorch.torchdynamo.backend import openvino as compiler

    device = target.device or "CPU"
    options = {
        "aot_autograd": True,
        "device": device,
        "config": {"INFERENCE_PRECISION_HINT": "f32"},
    }
    watch = OpenVinoWatch(device)
    return prepare_compiled(
        call,
        inputs,
        "cpu",
        lambda graph, example: compiler(graph, example, options=options),
        watch,
    )
