"""Runs a typed graph's arithmetic where nothing computes in its types.

Every tensor is float32 and rounded to its type where an operator of the typed graph would round.
Sums inside an operator stay float32, as on tensor cores. This is how a precision is checked on a
CPU: ONNX Runtime's computes no bfloat16 at all, and float16 in its own way.
"""

import numpy as np
import onnx
import onnx_ir as ir

from .typed import FLOAT, MOVES

LOW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def emulated(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a float32 graph that rounds as `proto` does; `proto` is not changed.

    Inputs and outputs become float32; the caller rounds an input that was not.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    graph = model.graph
    for weight in list(graph.initializers.values()):
        if weight.dtype in LOW:
            _widen(weight)
    for value in graph.inputs:
        _as_float(value)
    for node in list(graph):
        for value in node.outputs:
            low = value.dtype
            if low not in LOW:
                continue
            if node.op_type in MOVES:
                _as_float(value)
            elif node.op_type == "Cast":
                _rounded_behind(value, low, casts=1)
            else:
                _rounded_behind(value, low, casts=2)
    return ir.to_proto(model)


def _widen(weight: ir.Value) -> None:
    assert weight.const_value is not None
    array = weight.const_value.numpy().astype(np.float32)
    weight.const_value = ir.tensor(array, dtype=FLOAT, name=weight.name)
    _as_float(weight)


def _as_float(value: ir.Value) -> None:
    if value.dtype in LOW:
        value.type = ir.TensorType(FLOAT)


def _rounded_behind(value: ir.Value, low: ir.DataType | None, *, casts: int) -> None:
    """Round what a node gives: to the low type, if it is not in it already, and back."""
    node, graph = value.producer(), value.producer().graph  # type: ignore[union-attr]
    assert node is not None and graph is not None and low is not None
    users, is_output = list(value.uses()), value.is_graph_output()
    present = value
    if casts == 2:
        value.type = ir.TensorType(FLOAT)
        node, present = _cast_behind(node, present, low)
    node, present = _cast_behind(node, present, FLOAT)
    for user, index in users:
        user.replace_input_with(index, present)
    if is_output:
        name = value.name
        value.name, present.name = f"{name}.exact", name
        graph.outputs[list(graph.outputs).index(value)] = present


def _cast_behind(node: ir.Node, value: ir.Value, dtype: ir.DataType) -> tuple[ir.Node, ir.Value]:
    made = ir.node("Cast", [value], {"to": dtype.value})
    made.outputs[0].shape, made.outputs[0].type = value.shape, ir.TensorType(dtype)
    assert node.graph is not None
    node.graph.insert_after(node, made)
    return made, made.outputs[0]
