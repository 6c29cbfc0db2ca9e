"""Quantises convolutions: puts QuantizeLinear and DequantizeLinear nodes in front of them.

Rules:
    1. Only the operands of the chosen convolutions are quantised. Every other reader of the same
       tensor (a norm, a gate, a residual sum) reads the exact values.
    2. Quantisation is symmetric: the zero point is 0. Weights have one scale per output channel,
       from its largest weight, and are stored quantised. Activations have one scale per tensor,
       from the calibration.
    3. Convolutions that read the same tensor share one pair of nodes.
    4. Scales are rounded to float16 before anything is quantised with them, so that they keep
       their value whatever type the rest of the graph computes in.
Requires:
    a float32 model of ours in deployment form.
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

from .mixed_precision import check_convertible, mixed_precision_from_fp32
from .precision_rules import LowPrecision, quantizable
from .scales import Scales

SMALLEST_SCALE = 2.0**-24  # the smallest float16 number above 0
FIRST_OPSET = 19  # the first whose QuantizeLinear takes float16 scales


@dataclass(frozen=True)
class QuantizedDtype:
    """A type to quantise to.

    Attributes:
        dtype: ONNX's type of the stored values.
        largest: the largest magnitude used, on both sides of 0.
    """

    dtype: ir.DataType
    largest: float


INT8 = QuantizedDtype(ir.DataType.INT8, 127)
FP8 = QuantizedDtype(ir.DataType.FLOAT8E4M3FN, 448)
QUANTIZED_DTYPES = {"int8": INT8, "fp8": FP8}


def quantized_from_fp32(
    proto: onnx.ModelProto,
    scales: Scales,
    *,
    kept_in_fp16: Collection[str] = (),
    low_io: bool = False,
) -> onnx.ModelProto:
    """Quantise a float32 export to the precision that the scales are for.

    Args:
        proto: a model that `drs-export onnx` wrote, in deployment form; it is not changed.
        scales: from `scales_from_images`.
        kept_in_fp16: names of further convolutions that are not quantised.
        low_io: make input and output float16; by default they stay float32.

    Returns:
        A strongly typed model with explicit QuantizeLinear and DequantizeLinear nodes.

    Raises:
        ExportError: not a float32 model of ours in deployment form.
        CalibrationError: a tensor has no scale.
    """
    check_convertible(proto)
    if scales.precision not in QUANTIZED_DTYPES:
        expected = " or ".join(QUANTIZED_DTYPES)
        raise CalibrationError(f"scales are for {scales.precision!r}; expected {expected}")
    precision: LowPrecision = "int8" if scales.precision == "int8" else "fp8"
    chosen = {node.name for node in quantizable(proto)} - set(kept_in_fp16)
    made = quantized_graph(proto, scales.by_tensor, chosen, QUANTIZED_DTYPES[precision])
    return mixed_precision_from_fp32(made, precision, low_io=low_io)


def quantized_graph(
    proto: onnx.ModelProto,
    scales: Mapping[str, float],
    chosen: Collection[str],
    quantized: QuantizedDtype,
) -> onnx.ModelProto:
    """Quantise the operands of some convolutions.

    Args:
        proto: a float32 model in deployment form; it is not changed.
        scales: by tensor name, each more than 0.
        chosen: names of the convolutions.
        quantized: the type to quantise to.

    Returns:
        A float32 model with QuantizeLinear and DequantizeLinear nodes, opset 19 or later.

    Raises:
        CalibrationError: a scale is missing.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    model.opset_imports[""] = max(model.opset_imports[""], FIRST_OPSET)
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
            pairs[features.name] = _pair(features, scale, quantized, node)
        node.replace_input_with(0, pairs[features.name])
        node.replace_input_with(1, _stored(model.graph, weight, quantized, node))
    for name in [n for n, w in model.graph.initializers.items() if not w.uses()]:
        del model.graph.initializers[name]
    made = ir.to_proto(model)
    made.ir_version = max(
        made.ir_version,
        onnx.helper.find_min_ir_version_for(made.opset_import),
    )
    return made


def float16_scale(scale: NDArray[np.floating]) -> NDArray[np.float32]:
    """Round scales to float16, which every precision represents exactly, and keep them above 0."""
    rounded = np.maximum(scale, SMALLEST_SCALE).astype(np.float16).astype(np.float32)
    return np.asarray(rounded, np.float32)


def weight_scales(weight: NDArray[np.float32], quantized: QuantizedDtype) -> NDArray[np.float32]:
    """Return a scale for each output channel of a convolution's weight."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)))
    return float16_scale(largest / quantized.largest)


def quantized_values(
    values: NDArray[np.floating],
    scale: NDArray[np.floating] | np.floating,
    quantized: QuantizedDtype,
) -> NDArray[Any]:
    """Divide values by the scale, clip them, and round half to even."""
    scaled = np.clip(values / scale, -quantized.largest, quantized.largest)
    if quantized is INT8:
        return np.asarray(np.rint(scaled).astype(np.int8))
    return np.asarray(scaled.astype(ml_dtypes.float8_e4m3fn))


def _pair(
    value: ir.Value, scale: NDArray[np.float32], quantized: QuantizedDtype, reader: ir.Node
) -> ir.Value:
    """Quantise and dequantise a tensor in front of its first reader; return the result."""
    graph = reader.graph
    assert graph is not None
    factor = _constant(graph, f"{value.name}.scale", scale, ir.DataType.FLOAT)
    zero = _zero(graph, (), quantized)
    down = ir.node("QuantizeLinear", [value, factor, zero], name=f"{value.name}.quantize")
    up = ir.node(
        "DequantizeLinear", [down.outputs[0], factor, zero], name=f"{value.name}.dequantize"
    )
    _describe(down.outputs[0], f"{value.name}.quantized", value.shape, quantized.dtype)
    _describe(up.outputs[0], f"{value.name}.dequantized", value.shape, ir.DataType.FLOAT)
    graph.insert_before(reader, [down, up])
    return up.outputs[0]


def _stored(
    graph: ir.Graph, weight: ir.Value, quantized: QuantizedDtype, reader: ir.Node
) -> ir.Value:
    """Replace a weight by its quantised values and a DequantizeLinear."""
    assert weight.const_value is not None
    array = weight.const_value.numpy()
    scale = weight_scales(array, quantized)
    values = quantized_values(array, scale.reshape(-1, *[1] * (array.ndim - 1)), quantized)
    stored = _constant(graph, f"{weight.name}.quantized", values, quantized.dtype)
    factor = _constant(graph, f"{weight.name}.scale", scale, ir.DataType.FLOAT)
    zero = _zero(graph, scale.shape, quantized)
    up = ir.node(
        "DequantizeLinear", [stored, factor, zero], {"axis": 0}, name=f"{weight.name}.dequantize"
    )
    _describe(up.outputs[0], f"{weight.name}.dequantized", weight.shape, ir.DataType.FLOAT)
    graph.insert_before(reader, up)
    return up.outputs[0]


def _zero(graph: ir.Graph, shape: tuple[int, ...], quantized: QuantizedDtype) -> ir.Value:
    name = ".".join(["zero", quantized.dtype.name.lower(), *map(str, shape)])
    return _constant(graph, name, np.zeros(shape, quantized.dtype.numpy()), quantized.dtype)


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
