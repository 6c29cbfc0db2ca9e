"""Simulates the arithmetic of a typed graph on a CPU, which does not compute in its types.

Every operator computes in float32, and its result is rounded to the type that it has in the typed
graph. Sums inside an operator stay float32, as on tensor cores. On the CPU, ONNX Runtime computes
no bfloat16 at all, and float16 in its own way.

Between operators tensors keep their low type, and each reader widens its own copy: a large image
needs half the memory that way.
"""

import numpy as np
import onnx
import onnx_ir as ir

from ..mixed_precision import FLOAT

SIXTEEN_BIT_DTYPES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
UNCHANGED = ("Cast", "Reshape", "Identity", "Shape")  # ONNX Runtime computes these in every type


def simulated_precision(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph that rounds as `proto` does; `proto` is not changed.

    Inputs and outputs become float32; an input of a low type is rounded first.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    graph = model.graph
    for weight in list(graph.initializers.values()):
        if weight.dtype in SIXTEEN_BIT_DTYPES:
            _widen(weight)
    nodes = list(graph)
    for value in graph.inputs:
        if value.dtype in SIXTEEN_BIT_DTYPES:
            _round_input(graph, value)
    for node in nodes:
        if node.op_type not in UNCHANGED:
            _widen_inputs(node)
            for value in node.outputs:
                _round_output(value)
    for i, value in enumerate(graph.outputs):
        if value.dtype in SIXTEEN_BIT_DTYPES:
            graph.outputs[i] = _widened_output(graph, value)
    return ir.to_proto(model)


def runnable(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a form that ONNX Runtime runs on a CPU: bfloat16 simulated, any other unchanged."""
    bfloat16 = onnx.TensorProto.BFLOAT16
    if any(weight.data_type == bfloat16 for weight in proto.graph.initializer):
        return simulated_precision(proto)
    return proto


def _widen(weight: ir.Value) -> None:
    assert weight.const_value is not None
    array = weight.const_value.numpy().astype(np.float32)
    weight.const_value = ir.tensor(array, dtype=FLOAT, name=weight.name)
    weight.type = ir.TensorType(FLOAT)


def _widen_inputs(node: ir.Node) -> None:
    """Give a node float32 copies of its low inputs."""
    assert node.graph is not None
    for i, value in enumerate(node.inputs):
        if value is not None and value.dtype in SIXTEEN_BIT_DTYPES:
            cast = _cast(value, FLOAT)
            node.graph.insert_before(node, cast)
            node.replace_input_with(i, cast.outputs[0])


def _round_output(value: ir.Value) -> None:
    """Make a node's output float32 and round it, by a Cast, for all of its readers."""
    low = value.dtype
    if low not in SIXTEEN_BIT_DTYPES:
        return
    node = value.producer()
    assert node is not None and node.graph is not None and low is not None
    value.type = ir.TensorType(FLOAT)
    cast = _cast(value, low)
    _replace(node.graph, value, cast)
    node.graph.insert_after(node, cast)


def _round_input(graph: ir.Graph, value: ir.Value) -> None:
    low = value.dtype
    assert low is not None
    value.type = ir.TensorType(FLOAT)
    cast = _cast(value, low)
    _replace(graph, value, cast)
    graph.insert_before(graph[0], cast)


def _widened_output(graph: ir.Graph, value: ir.Value) -> ir.Value:
    name = value.name
    cast = _cast(value, FLOAT)
    graph.append(cast)
    value.name, cast.outputs[0].name = f"{name}.low", name
    return cast.outputs[0]


def _replace(graph: ir.Graph, value: ir.Value, cast: ir.Node) -> None:
    """Replace a value by the result of a Cast, for its readers and as an output, and rename."""
    made = cast.outputs[0]
    for user, index in list(value.uses()):
        if user is not cast:
            user.replace_input_with(index, made)
    if value.is_graph_output():
        graph.outputs[list(graph.outputs).index(value)] = made
    if not value.is_graph_input():
        name = value.name
        value.name, made.name = f"{name}.exact", name


def _cast(value: ir.Value, dtype: ir.DataType) -> ir.Node:
    node = ir.node("Cast", [value], {"to": dtype.value})
    node.outputs[0].shape, node.outputs[0].type = value.shape, ir.TensorType(dtype)
    return node
