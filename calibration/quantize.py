"""Puts quantisation in front of convolutions: QuantizeLinear and DequantizeLinear nodes.

Rules:
    1. Only the operands of the chosen convolutions are quantised. Whatever else reads the same
       tensor (a norm, a gate, a residual sum) reads the exact one.
    2. Symmetric, no zero point but 0. Weights: one scale per output channel, from its largest
       weight, stored as integers. Activations: one scale per tensor, as calibrated.
    3. Convolutions that read one tensor share one pair of nodes.
    4. Scales are float16 numbers, rounded before anything is quantised with them: they keep their
       value whatever type the rest of the graph computes in.
Requires:
    a float32 graph of our own (deployment form).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from drsformer.errors import CalibrationError

from .mixed_precision import check_convertible, low_from_fp32
from .rules import Precision, quantizable
from .scales import Scales

SMALLEST_SCALE = 2.0**-24  # float16's smallest number


@dataclass(frozen=True)
class Grid:
    """A type to quantise to.

    Attributes:
        dtype: of the integers (or small floats).
        largest: the largest magnitude used, symmetric.
        opset: the first that quantises to it with float16 scales.
    """

    dtype: ir.DataType
    largest: float
    opset: int = 19


INT8 = Grid(ir.DataType.INT8, 127)
FP8 = Grid(ir.DataType.FLOAT8E4M3FN, 448)
GRIDS = {"int8": INT8, "fp8": FP8}


def int8_from_fp32(
    proto: onnx.ModelProto,
    scales: Scales,
    *,
    spared: Collection[str] = (),
    low_io: bool = False,
) -> onnx.ModelProto:
    """Quantise a float32 export to the grid that the scales are for; `proto` is not changed.

    Args:
        proto: what `drs-export onnx` wrote, in deployment form.
        scales: from `calibrate`.
        spared: names of convolutions to leave in float16 all the same.
        low_io: whether input and output are float16; by default they stay float32.

    Returns:
        A strongly typed model with explicit QuantizeLinear and DequantizeLinear nodes.

    Raises:
        ExportError: not a float32 model of ours in deployment form.
        CalibrationError: a tensor has no scale.
    """
    check_convertible(proto)
    if scales.grid not in GRIDS:
        raise CalibrationError(f"scales are for {scales.grid!r}; expected {' or '.join(GRIDS)}")
    precision: Precision = "int8" if scales.grid == "int8" else "fp8"
    chosen = {node.name for node in quantizable(proto)} - set(spared)
    made = quantized(proto, scales.steps, chosen, GRIDS[scales.grid])
    typed: onnx.ModelProto = low_from_fp32(made, precision, low_io=low_io)
    return typed


def quantized(
    proto: onnx.ModelProto, scales: Mapping[str, float], chosen: Collection[str], grid: Grid
) -> onnx.ModelProto:
    """Quantise the operands of some convolutions.

    Args:
        proto: float32, deployment form; it is not changed.
        scales: one step of the grid by tensor name, more than 0.
        chosen: names of the convolutions, out of `quantizable`.
        grid: what to quantise to.

    Returns:
        A float32 model with QuantizeLinear and DequantizeLinear nodes, opset 19 or later.

    Raises:
        CalibrationError: a scale is missing.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    model.opset_imports[""] = max(model.opset_imports[""], grid.opset)
    pairs: dict[str, ir.Value] = {}
    for node in list(model.graph):
        if node.name not in chosen:
            continue
        features, weight = node.inputs[:2]
        assert features is not None and weight is not None and features.name is not None
        if features.name not in pairs:
            if features.name not in scales:
                raise CalibrationError(f"there is no scale for {features.name}; calibrate again")
            scale = float16_scale(np.array(scales[features.name]))
            pairs[features.name] = _pair(features, scale, grid, node)
        node.replace_input_with(0, pairs[features.name])
        node.replace_input_with(1, _stored(model.graph, weight, grid, node))
    for name in [n for n, w in model.graph.initializers.items() if not w.uses()]:
        del model.graph.initializers[name]
    made = ir.to_proto(model)
    made.ir_version = max(
        made.ir_version,
        onnx.helper.find_min_ir_version_for(made.opset_import),
    )
    return made


def float16_scale(scale: NDArray[np.floating]) -> NDArray[np.float32]:
    """Round scales to float16, which all our precisions hold exactly, and away from 0."""
    rounded = np.maximum(scale, SMALLEST_SCALE).astype(np.float16).astype(np.float32)
    return np.asarray(rounded, np.float32)


def weight_scales(weight: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Return a scale for each output channel of a convolution's weight."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)))
    return float16_scale(largest / grid.largest)


def on_grid(values: NDArray[np.float32], scale: NDArray[np.float32], grid: Grid) -> NDArray[Any]:
    """Return values as grid steps: rounded half to even, clipped."""
    steps = np.clip(values / scale, -grid.largest, grid.largest)
    if grid is INT8:
        return np.asarray(np.rint(steps).astype(np.int8))
    return np.asarray(steps.astype(ml_dtypes.float8_e4m3fn))


def _pair(value: ir.Value, scale: NDArray[np.float32], grid: Grid, reader: ir.Node) -> ir.Value:
    """Quantise a tensor and back, just before its first reader; return the result."""
    graph = reader.graph
    assert graph is not None
    factor = _constant(graph, f"{value.name}.scale", scale, ir.DataType.FLOAT)
    zero = _zero(graph, (), grid)
    down = ir.node("QuantizeLinear", [value, factor, zero], name=f"{value.name}.quantize")
    up = ir.node(
        "DequantizeLinear", [down.outputs[0], factor, zero], name=f"{value.name}.dequantize"
    )
    _describe(down.outputs[0], f"{value.name}.quantized", value.shape, grid.dtype)
    _describe(up.outputs[0], f"{value.name}.dequantized", value.shape, ir.DataType.FLOAT)
    graph.insert_before(reader, [down, up])
    return up.outputs[0]


def _stored(graph: ir.Graph, weight: ir.Value, grid: Grid, reader: ir.Node) -> ir.Value:
    """Replace a weight by its integers and a DequantizeLinear."""
    assert weight.const_value is not None
    array = weight.const_value.numpy()
    scale = weight_scales(array, grid)
    steps = on_grid(array, scale.reshape(-1, *[1] * (array.ndim - 1)), grid)
    stored = _constant(graph, f"{weight.name}.quantized", steps, grid.dtype)
    factor = _constant(graph, f"{weight.name}.scale", scale, ir.DataType.FLOAT)
    zero = _zero(graph, scale.shape, grid)
    up = ir.node(
        "DequantizeLinear", [stored, factor, zero], {"axis": 0}, name=f"{weight.name}.dequantize"
    )
    _describe(up.outputs[0], f"{weight.name}.dequantized", weight.shape, ir.DataType.FLOAT)
    graph.insert_before(reader, up)
    return up.outputs[0]


def _zero(graph: ir.Graph, shape: tuple[int, ...], grid: Grid) -> ir.Value:
    name = ".".join(["zero", grid.dtype.name.lower(), *map(str, shape)])
    return _constant(graph, name, np.zeros(shape, grid.dtype.numpy()), grid.dtype)


def _constant(graph: ir.Graph, name: str, array: NDArray[Any], dtype: ir.DataType) -> ir.Value:
    if name not in graph.initializers:
        tensor = ir.tensor(np.asarray(array, order="C"), dtype=dtype, name=name)
        value = ir.Value(
            name=name, shape=ir.Shape(array.shape), type=ir.TensorType(dtype), const_value=tensor
        )
        graph.register_initializer(value)
    return graph.initializers[name]


def _describe(value: ir.Value, name: str, shape: ir.Shape | None, dtype: ir.DataType) -> None:
    value.name, value.shape, value.type = name, shape, ir.TensorType(dtype)
