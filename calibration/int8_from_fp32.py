"""The INT8 (and FP8) forms of an exported model: some convolutions quantised, the rest float16."""

from collections.abc import Collection

import onnx

from drsformer.errors import CalibrationError
from drsformer.export.precision import Precision, check_convertible, low_from_fp32

from .quantized import GRIDS, quantizable, quantized
from .scales import Scales


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
