"""Operations that WebNN lacks, or that its builder dies of, written out in others.

    LogSoftmax(x)          ->  s - Log(ReduceSum(Exp(s)))  with  s = x - ReduceMax(x)
    GatherElements(x, i)   ->  ReduceSum(Where(Equal(0 1 2 ..., i), x, 0))

A graph that WebNN can't take whole is refused, and the loss of a model has both of them: a
logarithm of probabilities, and from each row the one of the label.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

WRITTEN_OUT = ("LogSoftmax", "GatherElements")


def for_webnn(file: Path, sizes: Mapping[str, int]) -> bytes | None:
    """The model in `file` with what WebNN lacks written out; None where it lacks nothing.
    `sizes` are put in for the free ones."""
    import onnx

    model = onnx.load(str(file))
    if not any(node.op_type in WRITTEN_OUT for node in model.graph.node):
        return None
    for value in model.graph.input:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in sizes:
                size.dim_value = sizes[size.dim_param]
    shapes = _shapes(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    nodes = [new for node in model.graph.node for new in _written_out(model.graph, node, shapes)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    content: bytes = model.SerializeToString()
    return content


def _shapes(graph: Any) -> dict[str, list[int | None]]:
    """What is known of the sizes of each value."""
    return {
        value.name: [
            int(size.dim_value) if size.HasField("dim_value") else None
            for size in value.type.tensor_type.shape.dim
        ]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }


def _written_out(graph: Any, node: Any, shapes: dict[str, list[int | None]]) -> Iterator[Any]:
    if node.op_type == "LogSoftmax":
        yield from _log_softmax(graph, node)
    elif node.op_type == "GatherElements" and (width := _row(node, shapes)) is not None:
        yield from _picked(graph, node, width)
    else:
        yield node


def _row(node: Any, shapes: dict[str, list[int | None]]) -> int | None:
    """How long the rows are where one value is picked of each; None for another picking."""
    given, index = shapes.get(node.input[0], []), shapes.get(node.input[1], [])
    last = _axis(node, 0) in (-1, len(given) - 1)
    return given[-1] if given and last and len(index) == len(given) and index[-1] == 1 else None


def _log_softmax(graph: Any, node: Any) -> Iterator[Any]:
    from onnx import TensorProto, helper

    given, result = node.input[0], node.output[0]
    axes, most, rest, powers, total, log = (f"{result}/rpgen/{n}" for n in range(6))
    axis = _axis(node, -1)
    graph.initializer.append(helper.make_tensor(axes, TensorProto.INT64, [1], [axis]))
    yield helper.make_node("ReduceMax", [given, axes], [most], keepdims=1)
    yield helper.make_node("Sub", [given, most], [rest])
    yield helper.make_node("Exp", [rest], [powers])
    yield helper.make_node("ReduceSum", [powers, axes], [total], keepdims=1)
    yield helper.make_node("Log", [total], [log])
    yield helper.make_node("Sub", [rest, log], [result])


def _picked(graph: Any, node: Any, width: int) -> Iterator[Any]:
    """Of each row the value at the index in that row; the others become 0 and are summed."""
    from onnx import TensorProto, helper

    (given, index), result = node.input, node.output[0]
    axes, numbers, zero, here, alone = (f"{result}/rpgen/{n}" for n in range(5))
    graph.initializer.extend(
        [
            helper.make_tensor(axes, TensorProto.INT64, [1], [-1]),
            helper.make_tensor(numbers, TensorProto.INT64, [width], range(width)),
            helper.make_tensor(zero, TensorProto.FLOAT, [], [0.0]),
        ]
    )
    yield helper.make_node("Equal", [numbers, index], [here])
    yield helper.make_node("Where", [here, given, zero], [alone])
    yield helper.make_node("ReduceSum", [alone, axes], [result], keepdims=1)


def _axis(node: Any, otherwise: int) -> int:
    return next((int(each.i) for each in node.attribute if each.name == "axis"), otherwise)
