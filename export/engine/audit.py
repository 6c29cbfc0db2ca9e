"""The precision audit: does the network compute in the types that were asked for?

A tool that asks for a precision by builder flags builds float32 engines, without a word, where the
library no longer has those flags. So this module looks at the type of each layer's output, and
finds the layer's ONNX node by the name that the parser leaves in its metadata.

Which nodes stay in float32 by rule is calibration's knowledge, and export must not import
calibration: so the caller passes these nodes as `kept`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from drsformer.errors import EngineError

from ..graph import PRECISION_KEY, metadata_of
from ..uint8_io import PREFIX

# layers that move or hold values; the type of their output is not one that they compute in
NO_ARITHMETIC = frozenset(
    ["CONSTANT", "SHUFFLE", "SLICE", "CAST", "GATHER", "CONCATENATION", "UNSQUEEZE", "SQUEEZE",
     "IDENTITY", "SHAPE"]
)  # fmt: skip
QUANTISING = frozenset(["QUANTIZE", "DEQUANTIZE"])
NAMES = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16", "INT8": "int8", "FP8": "fp8"}
ASKED = {"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16", "int8": "HALF", "fp8": "HALF"}
METADATA = "[ONNX Layer: "  # the parser writes it before a node's name, and "]" after it


@dataclass(frozen=True)
class Audit:
    """What the layers of a network compute in.

    Attributes:
        precision: the one asked for.
        layers: type to number of layers that compute in it; "int8" counts quantised convolutions.
        float32_parts: part of the network to number of its layers that stay in float32 by rule.
    """

    precision: str
    layers: dict[str, int]
    float32_parts: dict[str, int]


def precision_of(proto: onnx.ModelProto) -> str:
    """Return the precision that a model's metadata names, "fp32" by default."""
    precision = metadata_of(proto).get(PRECISION_KEY, "fp32")
    if precision not in ASKED:
        raise EngineError(
            f"the ONNX file says that it is in {precision!r}; expected {', '.join(ASKED)}"
        )
    return precision


def audited(network: Any, proto: onnx.ModelProto, kept: Mapping[str, str]) -> Audit:
    """Compare a network with the typed model it was parsed from.

    Args:
        network: a TensorRT network.
        proto: the model.
        kept: name of each node that stays in float32 by rule, to its part of the network.

    Raises:
        EngineError: a layer computes in float32 without a rule, no layer computes in the precision
            asked for, or a quantised tensor is missing.
    """
    precision = precision_of(proto)
    layers: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    strays = []
    quantised = 0
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        kind = _plain(layer.type)
        quantised += kind == "QUANTIZE"
        types = {_plain(layer.get_output(j).dtype) for j in range(layer.num_outputs)}
        if kind in NO_ARITHMETIC | QUANTISING or not types & NAMES.keys():
            continue
        computes_in = "FLOAT" if "FLOAT" in types else min(types & NAMES.keys())
        layers[NAMES[computes_in]] += 1
        if computes_in == "FLOAT" and precision != "fp32" and layer.metadata:
            node = layer.metadata.removeprefix(METADATA).removesuffix("]")
            part = "pixels" if node.startswith(PREFIX) else kept.get(node)
            parts[part or "?"] += 1
            strays += [] if part else [node]
    if strays:
        raise EngineError(
            f"{len(strays)} layers came out in float32 though {precision} was asked for, the first "
            f"is {strays[0]}; the ONNX file is not typed as it says, convert it again"
        )
    if not layers[NAMES[ASKED[precision]]]:
        raise EngineError(
            f"no layer came out in {NAMES[ASKED[precision]]} though {precision} was asked for; the "
            "ONNX file is not typed as it says, convert it again"
        )
    _check_quantised(precision, quantised, proto)
    if quantised:
        layers[precision] = quantised
    return Audit(precision, dict(layers), dict(parts))


def _check_quantised(precision: str, found: int, proto: onnx.ModelProto) -> None:
    expected = sum(node.op_type == "QuantizeLinear" for node in proto.graph.node)
    if found != expected or (precision in ("int8", "fp8")) != bool(expected):
        raise EngineError(
            f"the network has {found} quantised tensors and the ONNX file {expected}, for "
            f"{precision}; convert it again"
        )


def _plain(value: Any) -> str:
    """Return the name of an enumeration's value, "HALF"."""
    return str(value).split(".")[-1]
