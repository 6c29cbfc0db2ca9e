"""Runs a typed graph's arithmetic where nothing computes in its types.

Every operator computes in float32 and its result is rounded to the type that the typed graph gives
it. Sums inside an operator stay float32, as on tensor cores. This is how a precision is checked on
a CPU: ONNX Runtime's computes no bfloat16 at all, and float16 in its own way.

Between operators tensors are held in their low type, and each reader widens its own copy: a large
image needs half the memory that way.
"""

import numpy as np
import onnx
import onnx_ir as ir

from ..mixed_precision import FLOAT

LOW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
AS_IT_IS = ("Cast", "Reshape", "Identity", "Shape")  # ONNX Runtime has these for every type


def emulated(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph that rounds as `proto` does; `proto` is not changed.

    Inputs and outputs become float32; a low input is rounded first.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    graph = model.graph
    for weight in list(graph.initializers.values()):
        if weight.dtype in LOW:
            _widen(weight)
    nodes = list(graph)
    for value in graph.inputs:
        if value.dtype in LOW:
            _round_input(graph, value)
    for node in nodes:
        if node.op_type not in AS_IT_IS:
            _widen_inputs(node)
            for value in node.outputs:
                _round_behind(value)
    for i, value in enumerate(graph.outputs):
        if value.dtype in LOW:
            graph.outputs[i] = _output_widened(graph, value)
    return ir.to_proto(model)


def runnable(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return what ONNX Runtime can run on a CPU: a bfloat16 model emulated, any other as it is."""
    bfloat16 = onnx.TensorProto.BFLOAT16
    if any(weight.data_type == bfloat16 for weight in proto.graph.initializer):
        return emulated(proto)
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
        if value is not None and value.dtype in LOW:
            cast = _cast(value, FLOAT)
            node.graph.insert_before(node, cast)
            node.replace_input_with(i, cast.outputs[0])


def _round_behind(value: ir.Value) -> None:
    """Let a node give float32 and round that for whoever reads it."""
    low = value.dtype
    if low not in LOW:
        return
    node = value.producer()
    assert node is not None and node.graph is not None and low is not None
    value.type = ir.TensorType(FLOAT)
    cast = _cast(value, low)
    _take_over(node.graph, value, cast)
    node.graph.insert_after(node, cast)


def _round_input(graph: ir.Graph, value: ir.Value) -> None:
    low = value.dtype
    assert low is not None
    value.type = ir.TensorType(FLOAT)
    cast = _cast(value, low)
    _take_over(graph, value, cast)
    graph.insert_before(graph[0], cast)


def _output_widened(graph: ir.Graph, value: ir.Value) -> ir.Value:
    name = value.name
    cast = _cast(value, FLOAT)
    graph.append(cast)
    value.name, cast.outputs[0].name = f"{name}.low", name
    return cast.outputs[0]


def _take_over(graph: ir.Graph, value: ir.Value, cast: ir.Node) -> None:
    """Let a Cast's result be read, and given out, where the value was; it gets its name."""
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
