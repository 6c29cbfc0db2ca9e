"""The top-k masks of a graph, as outputs or as inputs.

A top-k mask says which scores of a row are among the k largest. Rounding the scores changes the
mask where two scores are almost equal, and that costs more than the rounding itself. A model of a
lower precision that takes the masks of float32 as inputs shows the cost of rounding alone. This is
for diagnosis; no file computes that way.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

COMPARISON = "GreaterOrEqual"  # the operator that makes a mask, from the rewrite `one_top_k`

Masks = Sequence[NDArray[np.bool_]]


def top_k_mask_names(proto: onnx.ModelProto) -> list[str]:
    """Return the names of the masks, bool (B, heads, c, 4, c) each, in the order of computation."""
    return [node.output[0] for node in proto.graph.node if node.op_type == COMPARISON]


def with_masks_as_outputs(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with the masks as further outputs, behind its own."""
    made = _copy(proto)
    made.graph.output.extend(map(_mask, top_k_mask_names(proto)))
    return made


def with_masks_as_inputs(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with the masks as further inputs, which replace the comparison of scores."""
    made = _copy(proto)
    kept = [node for node in made.graph.node if node.op_type != COMPARISON]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    made.graph.input.extend(map(_mask, top_k_mask_names(proto)))
    return made


def mismatch_rate(found: Masks, expected: Masks) -> float:
    """Return the share of entries in which two lists of masks differ, 0 to 1."""
    different = sum(int(np.count_nonzero(a != b)) for a, b in zip(found, expected, strict=True))
    return different / sum(mask.size for mask in expected)


def _mask(name: str) -> onnx.ValueInfoProto:
    axes = [f"{name}.{axis}" for axis in range(5)]
    return helper.make_tensor_value_info(name, TensorProto.BOOL, axes)


def _copy(proto: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    return made
