"""torch.compile, where a silent fallback is a failure.

torch goes back to eager where it gives up (a limit of recompilations, a switch in the
environment). So compilations and executions are counted, and a run in which nothing compiled
was executed is an error.
"""

import time
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rpgen.backends.base import (
    BackendError,
    Description,
    FallbackError,
    Prepared,
    first_line,
)
from rpgen.backends.prepared import PreparedModel
from rpgen.backends.tracing import recording

Compiler = Callable[[Any, Any], Any]


class Counting:
    """A compiler for torch.compile that counts what it compiled and what of that was executed."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self.compiled = self.executed = self.nodes = 0

    def __call__(self, graph: Any, example: Any) -> Callable[..., Any]:
        run = self._compiler(graph, example)
        self.compiled += 1
        self.nodes += sum(node.op.startswith("call_") for node in graph.graph.nodes)

        def counted(*args: Any) -> Any:
            self.executed += 1
            return run(*args)

        return counted


def inductor() -> Compiler:
    """torch's own compiler."""
    with recording():  # what it imports warns of its own ways
        from torch._inductor.compile_fx import compile_fx

    return lambda graph, example: compile_fx(graph, example)


def precision_of(call: Any, device: str) -> str:
    """What torch computes in there: the dtype of the weights, unless its switches say that some
    products may be coarser."""
    import torch

    weights = {each.dtype for each in call.parameters() if each.is_floating_point()}
    if not weights <= {torch.float32}:
        return ", ".join(sorted(str(each).removeprefix("torch.") for each in weights))
    if torch.get_float32_matmul_precision() != "highest":
        return "f32, products coarser (torch.set_float32_matmul_precision)"
    return "f32" if device.partition(":")[0] in ("cpu", "cuda", "mps") else "not known"


@contextmanager
def convolutions_in_f32() -> Iterator[None]:
    """CUDA computes the convolutions of float32 in TF32, unless it is told otherwise."""
    import torch

    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before


def prepare_compiled(
    call: Any,
    inputs: Mapping[str, Any],
    device: str,
    compiler: Compiler,
    watch: "Watch | None" = None,
) -> Prepared:
    """The call compiled as one graph for inputs as large as the example, and tried with it."""
    import torch

    began = time.perf_counter()
    counting = Counting(compiler)
    watched = watch or Watch(
        f"torch {torch.__version__}, torch.compile", precision_of(call, device)
    )
    function = torch.compile(
        _with_its_own_code(call), backend=counting, fullgraph=True, dynamic=False
    )
    made = _Compiled(call, function, counting, watched, device)
    made.warm(inputs, began)
    return made


def _with_its_own_code(call: Any) -> Any:
    """The call as a function of its own: torch counts recompilations by code, which all calls
    would share."""

    def computed(*tensors: Any) -> Any:
        return call(*tensors)

    code = computed.__code__.replace(co_name=f"call_{id(call)}")
    return types.FunctionType(code, computed.__globals__, closure=computed.__closure__)


class Watch:
    """Who compiled, and what else is to be looked at after a run: nothing, for torch."""

    def __init__(self, computed_by: str, precision: str = "not known") -> None:
        self.computed_by, self.precision = computed_by, precision

    @contextmanager
    def watching(self) -> Iterator[None]:
        yield

    def nodes(self, counted: int) -> Mapping[str, int]:
        return {"compiled": counted}

    def forget(self) -> None:
        """Give back what the compiler keeps."""


class _Compiled(PreparedModel):
    def __init__(
        self, call: Any, function: Any, counting: Counting, watch: Watch, device: str
    ) -> None:
        super().__init__(Description(watch.computed_by, device, watch.precision))
        self._call: Any = call
        self._function: Any = function
        self._counting, self._watch, self._device = counting, watch, device

    def warm(self, inputs: Mapping[str, Any], began: float) -> None:
        """The first run compiles; it is no run of the caller's."""
        self._compute(inputs)
        self._described = replace(
            self._described,
            nodes=self._watch.nodes(self._counting.nodes),
            precision=self._watch.precision,
            prepare_seconds=round(time.perf_counter() - began, 3),
        )

    def _compute(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        before = self._counting.executed
        given = [inputs[name].to(self._device) for name in self._call.input_names]
        try:
            with recording(), convolutions_in_f32(), self._watch.watching():
                found = self._function(*given)
        except BackendError:
            raise
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            raise BackendError(f"{self._watch.computed_by}: {_cause(error)}") from error
        if self._counting.executed == before:
            raise FallbackError(
                f"{self._watch.computed_by} fell back to eager torch: nothing compiled was executed"
            )
        names = self._call.output_names
        return {name: each.cpu().clone() for name, each in zip(names, found, strict=True)}

    def _free(self) -> None:
        self._function = self._call = None
        self._watch.forget()


def _cause(error: BaseException) -> str:
    """torch wraps what a compiler raised; the innermost says what happened."""
    inner = getattr(error, "inner_exception", None) or error.__cause__
    return str(inner) if isinstance(inner, BackendError) else first_line(inner or error)
