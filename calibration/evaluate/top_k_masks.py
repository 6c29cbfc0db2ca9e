"""The top-k selections of a graph: read out, or imposed from outside.

Rounding the scores swaps entries near the threshold, and a swap costs more than rounding. Imposing
the float32 selection on a lower precision tells the two apart: what is left is rounding alone. It
is a diagnosis; no file computes that way.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

SELECT = "GreaterOrEqual"  # what the rewrite `one_top_k` compares scores and thresholds with

Masks = Sequence[NDArray[np.bool_]]


def selection_names(proto: onnx.ModelProto) -> list[str]:
    """Return the boolean tensors, (B, heads, c, 4, c) each, in the order of computation."""
    return [node.output[0] for node in proto.graph.node if node.op_type == SELECT]


def with_selections_out(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose selections are outputs, behind its own."""
    made = _copy(proto)
    made.graph.output.extend(map(_mask, selection_names(proto)))
    return made


def with_selections_in(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose selections are inputs, behind its own; nothing compares scores then."""
    made = _copy(proto)
    kept = [node for node in made.graph.node if node.op_type != SELECT]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    made.graph.input.extend(map(_mask, selection_names(proto)))
    return made


def flip_rate(found: Masks, expected: Masks) -> float:
    """Return the share of entries that one selection keeps and the other does not, 0 to 1."""
    flipped = sum(int(np.count_nonzero(a != b)) for a, b in zip(found, expected, strict=True))
    return flipped / sum(mask.size for mask in expected)


def _mask(name: str) -> onnx.ValueInfoProto:
    axes = [f"{name}.{axis}" for axis in range(5)]
    return helper.make_tensor_value_info(name, TensorProto.BOOL, axes)


def _copy(proto: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    return made
